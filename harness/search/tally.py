"""Counts over the runs of an exploration: invariants and coverage. Shrinking is not counted."""

from collections import Counter

from harness.boundary import boundary_of
from harness.events import Coverage, Tally
from harness.run import Run


class Tallies:
    """Fed with each run once."""

    def __init__(self) -> None:
        self._verdicts: dict[str, Counter[str]] = {}
        self._planned: Counter[tuple[str, str]] = Counter()
        self._hit: Counter[tuple[str, str]] = Counter()
        self.errors = 0
        self.infeasible = 0

    def add(self, run: Run) -> None:
        for invariant, verdict in run.invariants.items():
            self._verdicts.setdefault(invariant, Counter())[verdict] += 1
        for index, fault in enumerate(run.plan.faults):
            key = fault.kind, boundary_of(fault)
            self._planned[key] += 1
            self._hit[key] += index < len(run.hits) and run.hits[index]
        self.errors += run.verdict == "error"
        self.infeasible += len(run.infeasible)

    @property
    def invariants(self) -> dict[str, Tally]:
        return {
            name: Tally(counts["held"], counts["violated"], counts["not_exercised"])
            for name, counts in self._verdicts.items()
        }

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        return tuple(
            Coverage(kind, boundary, planned, self._hit[kind, boundary])
            for (kind, boundary), planned in sorted(self._planned.items())
        )
