"""Ordering constraints over real messages: which are held at the gate until which others have been delivered."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from harness.plan import Constraint


class LiveOrder:
    """Keeps a plan's constraints. A constraint is open until `before` is delivered, lost, or the wait is given up.

    enforced: per constraint, `after` was delivered when its constraint was already closed by the delivery of `before`.
    infeasible: constraints whose wait had to be given up, or whose `before` was lost.
    """

    def __init__(self, constraints: Sequence[Constraint]) -> None:
        self.enforced = [False] * len(constraints)
        self.infeasible: list[int] = []
        self._open: dict[int, trio.Event] = {index: trio.Event() for index in range(len(constraints))}
        self._met: set[int] = set()
        self._by_before: dict[str, list[int]] = {}
        self._by_after: dict[str, list[int]] = {}
        for index, constraint in enumerate(constraints):
            self._by_before.setdefault(constraint.before, []).append(index)
            self._by_after.setdefault(constraint.after, []).append(index)

    def must_wait(self, name: str) -> bool:
        return any(index in self._open for index in self._by_after.get(name, ()))

    def is_awaited(self, name: str) -> bool:
        """Whether some message is, or may yet be, held for this one."""
        return any(index in self._open for index in self._by_before.get(name, ()))

    async def wait(self, name: str, limit_s: float) -> None:
        """Returns when nothing keeps `name` back any more; after `limit_s` its constraints are given up."""
        with trio.move_on_after(limit_s):
            while events := [self._open[i] for i in self._by_after.get(name, ()) if i in self._open]:
                await events[0].wait()
        self._give_up([index for index in self._by_after.get(name, ()) if index in self._open])

    def passed(self, name: str) -> None:
        """`name` goes on its way now, as the later half of its constraints."""
        for index in self._by_after.get(name, ()):
            self.enforced[index] = index in self._met
            self._close(index)

    def delivered(self, name: str) -> None:
        """`name` has arrived and was acted on, as the earlier half of its constraints: what waits for it may go."""
        for index in self._by_before.get(name, ()):
            if index in self._open:
                self._met.add(index)
                self._close(index)

    def lost(self, name: str) -> None:
        """`name` will never be delivered: what waits for it may go, the constraint not met."""
        self._give_up([index for index in self._by_before.get(name, ()) if index in self._open])

    def release_all(self) -> None:
        """Faults have healed: nothing is held any more."""
        for index in list(self._open):
            self._close(index)

    def _give_up(self, indices: Sequence[int]) -> None:
        for index in indices:
            self.infeasible.append(index)
            self._close(index)

    def _close(self, index: int) -> None:
        event = self._open.pop(index, None)
        if event is not None:
            event.set()
