"""Virtual time: one agenda of pending calls, in integer microseconds.

The clock moves only when the world's driver takes the next entry; equal times fire in the order in which they
were asked for.
"""

import heapq
from collections.abc import Callable
from itertools import count

START_US = 1_767_225_600_000_000
"""Every run starts at 2026-01-01 00:00:00 UTC (microseconds since the Unix epoch)."""


class Entry:
    """A pending call (a `harness.sim.service.Timer`)."""

    __slots__ = ("callback", "due_us")

    def __init__(self, due_us: int, callback: Callable[[], None]) -> None:
        self.due_us = due_us
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Agenda:
    """The clock and what is due. `now_us` is absolute, `elapsed_us` counts from the start of the run."""

    def __init__(self) -> None:
        self.now_us = START_US
        self._heap: list[tuple[int, int, Entry]] = []
        self._numbers = count()

    @property
    def elapsed_us(self) -> int:
        return self.now_us - START_US

    def call_at(self, due_us: int, callback: Callable[[], None]) -> Entry:
        entry = Entry(max(due_us, self.now_us), callback)
        heapq.heappush(self._heap, (entry.due_us, next(self._numbers), entry))
        return entry

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Entry:
        return self.call_at(self.now_us + delay_us, callback)

    def next_us(self) -> int | None:
        """When the next live entry is due."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop(self) -> Callable[[], None]:
        """Takes the next live entry off; the caller has advanced the clock to it."""
        entry = heapq.heappop(self._heap)[2]
        assert entry.callback is not None
        callback, entry.callback = entry.callback, None
        return callback
