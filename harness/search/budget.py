"""What a search may spend."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import UsageError
from harness.seed import MAX_RUNS

SHRINK_SHARE = 0.2
"""Shrinking what was found last may overrun a budget in seconds by this share of it: a failure nobody can
read is worth less than the punctuality."""


@dataclass(frozen=True, slots=True)
class Budget:
    """runs: of the exploration, per scenario. seconds: of real time, per scenario. Whichever ends first;
    None for no limit of that kind, but one of them must be given. Raises UsageError on an impossible
    one."""

    runs: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.runs is None and self.seconds is None:
            raise UsageError("a budget has neither runs nor seconds; give one of them.")
        if self.runs is not None and not 1 <= self.runs <= MAX_RUNS:
            raise UsageError(f"a budget of {self.runs} runs is impossible; give 1 to {MAX_RUNS}.")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"a budget of {self.seconds:g} seconds is impossible; give more than 0.")


class Purse:
    """A budget being spent: runs are counted here, real time is read from the clock (monotonic
    microseconds)."""

    def __init__(self, budget: Budget, clock_us: Callable[[], int]) -> None:
        self._budget = budget
        self._clock_us = clock_us
        self._start_us = clock_us()
        self.runs = 0
        self.shrink_runs = 0

    @property
    def elapsed_us(self) -> int:
        return self._clock_us() - self._start_us

    @property
    def is_empty(self) -> bool:
        """No further run of the exploration."""
        budget = self._budget
        return (budget.runs is not None and self.runs >= budget.runs) or self._share_of_time() >= 1

    @property
    def is_half_spent(self) -> bool:
        """Too late for what is nice to have: shrinking a second cause of a known violation."""
        runs = self._budget.runs
        return (runs is not None and self.shrink_runs >= runs) or self._share_of_time() >= 0.5

    @property
    def may_shrink(self) -> bool:
        return self._share_of_time() < 1 + SHRINK_SHARE

    def _share_of_time(self) -> float:
        seconds = self._budget.seconds
        return 0.0 if seconds is None else self.elapsed_us / (seconds * 1_000_000)
