"""The failures that a search has shrunk, and which further failing runs they explain."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.boundary import boundary_of
from harness.fault import Fault
from harness.plan import Plan
from harness.run import Run
from harness.search.recorded_order import follows

MAX_CAUSES = 3
"""Shrinking attempts per invariant: the first failure, and two that its cause does not explain."""


@dataclass
class Known:
    """One shrunk failure and how many runs of the exploration showed it."""

    signature: str
    invariant: str
    plan: Plan
    runs: int = 0

    def explains(self, run: Run) -> bool:
        """Whether the run's plan does all that this failure takes: a fault of the same kind at the same
        boundary for each of its faults, and its order."""
        return _covers(run.plan.faults, self.plan.faults) and follows(run.deliveries, self.plan.constraints)


class KnownFailures:
    """Looked up by invariant; a scenario has a handful."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._attempts: dict[str, int] = {}

    def explaining(self, run: Run, invariant: str) -> Known | None:
        for known in self._known.values():
            if known.invariant == invariant and known.explains(run):
                return known
        return None

    def is_first_of(self, invariant: str) -> bool:
        return invariant not in self._attempts

    def may_try(self, invariant: str) -> bool:
        return self._attempts.get(invariant, 0) < MAX_CAUSES

    def add(self, signature: str, invariant: str, plan: Plan) -> bool:
        """Takes note of a shrunk failure; False when one of the same cause is known. Either way it counts a
        run."""
        self._attempts[invariant] = self._attempts.get(invariant, 0) + 1
        is_new = signature not in self._known
        known = self._known.setdefault(signature, Known(signature, invariant, plan))
        known.runs += 1
        return is_new

    @property
    def counts(self) -> dict[str, int]:
        """Signature to runs."""
        return {known.signature: known.runs for known in self._known.values()}


def _covers(planned: Sequence[Fault], needed: Sequence[Fault]) -> bool:
    rest = [(fault.kind, boundary_of(fault)) for fault in planned]
    for fault in needed:
        one = fault.kind, boundary_of(fault)
        if one not in rest:
            return False
        rest.remove(one)
    return True
