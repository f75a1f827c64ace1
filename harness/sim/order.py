"""Ordering constraints while a run goes on: which messages must wait for which."""

from collections.abc import Sequence

from harness.plan import Constraint


class Order:
    """Keeps a plan's constraints. A constraint is open until `before` is delivered, lost, or the wait is given up.

    enforced: `after` came when its constraint was already closed by the delivery of `before`.
    infeasible: the wait had to be given up.
    """

    def __init__(self, constraints: Sequence[Constraint]) -> None:
        self.constraints = constraints
        self.enforced = [False] * len(constraints)
        self.infeasible: list[int] = []
        self._open: set[int] = set(range(len(constraints)))
        self._closed_by_delivery: set[int] = set()
        self._by_before: dict[str, list[int]] = {}
        self._by_after: dict[str, list[int]] = {}
        for index, constraint in enumerate(constraints):
            self._by_before.setdefault(constraint.before, []).append(index)
            self._by_after.setdefault(constraint.after, []).append(index)

    def must_wait(self, name: str) -> bool:
        return any(index in self._open for index in self._by_after.get(name, ()))

    def delivered(self, name: str) -> bool:
        """True when this delivery closed a constraint, so that held messages must be looked at again."""
        for index in self._by_after.get(name, ()):
            self.enforced[index] = index in self._closed_by_delivery
            self._open.discard(index)
        closed = [index for index in self._by_before.get(name, ()) if index in self._open]
        self._open.difference_update(closed)
        self._closed_by_delivery.update(closed)
        return bool(closed)

    def lost(self, name: str) -> bool:
        """The message will never be delivered. True when that closed a constraint."""
        return self._give_up([index for index in self._by_before.get(name, ()) if index in self._open])

    def give_up_on(self, name: str) -> bool:
        """Stops holding `name`: its open constraints are infeasible in this run."""
        return self._give_up([index for index in self._by_after.get(name, ()) if index in self._open])

    def _give_up(self, indices: list[int]) -> bool:
        self._open.difference_update(indices)
        self.infeasible.extend(indices)
        return bool(indices)
