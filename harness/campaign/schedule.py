"""The schedule of a campaign: which scenario is searched next, and with how much of the budget.

Runs are shared evenly and in advance, so that they do not depend on how fast the machine is. Time is shared
as it passes: a scenario that ends early leaves its rest to those that have not begun.
"""

from collections.abc import Callable, Sequence

from harness.campaign.job import Job, SearchJob, Subject
from harness.errors import UsageError

SECOND_US = 1_000_000


class Schedule:
    """Hands out search jobs. `now_us` is a clock of real time; `jobs_first` come before all scenarios."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        *,
        seed: int,
        workers: int,
        now_us: Callable[[], int],
        runs: int | None = None,
        seconds: float | None = None,
        jobs_first: Sequence[Job] = (),
    ) -> None:
        if runs is not None and runs < len(subjects):
            raise UsageError(
                f"{runs} runs cannot be shared by {len(subjects)} scenarios; each needs one."
                f" Give --runs {len(subjects)} or more, or choose with --scenario."
            )
        self._waiting = list(zip(subjects, shares(runs, len(subjects)), strict=True))
        self._first = list(jobs_first)
        self._seed = seed
        self._workers = workers
        self._now_us = now_us
        self._end_us = None if seconds is None else now_us() + round(seconds * SECOND_US)
        self._promised: dict[Subject, int] = {}

    @property
    def time_left_us(self) -> int | None:
        """Until the budget of time is used up; None without one."""
        return None if self._end_us is None else max(0, self._end_us - self._now_us())

    def next_job(self) -> Job | None:
        """The next job; None when every scenario has been handed out."""
        if self._first:
            return self._first.pop(0)
        if not self._waiting:
            return None
        seconds = self._share_of_time()
        subject, runs = self._waiting.pop(0)
        if seconds is not None:
            self._promised[subject] = self._now_us() + round(seconds * SECOND_US)
        return SearchJob(subject, self._seed, runs, seconds)

    def ended(self, subject: Subject) -> None:
        """The search of this one is over, whatever was promised to it."""
        self._promised.pop(subject, None)

    def _share_of_time(self) -> float | None:
        """Seconds for the next scenario: its part of what all workers together still have."""
        left_us = self.time_left_us
        if left_us is None:
            return None
        now_us = self._now_us()
        promised_us = sum(max(0, end_us - now_us) for end_us in self._promised.values())
        share_us = (left_us * self._workers - promised_us) / len(self._waiting)
        return max(0.1, min(share_us, left_us) / SECOND_US)


def shares(total: int | None, parts: int) -> list[int | None]:
    """A total in nearly equal parts, the larger ones first; None (no limit) stays None."""
    if total is None:
        return [None] * parts
    least, more = divmod(total, parts)
    return [least + (number < more) for number in range(parts)]
