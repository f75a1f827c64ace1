"""The standalone provider's clock: real time, plus what a control call added to it. The one place that reads it."""

import time


class Clock:
    """Unix time in integer microseconds. It can be moved on, never back."""

    def __init__(self) -> None:
        self._ahead_us = 0

    def now_us(self) -> int:
        """The time."""
        return time.time_ns() // 1000 + self._ahead_us  # noqa: TID251 - standalone, real time is the point

    def reach(self, at_us: int) -> None:
        """Moves on to `at_us` at once, if that lies ahead."""
        self._ahead_us += max(at_us - self.now_us(), 0)
