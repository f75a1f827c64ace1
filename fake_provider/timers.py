"""The provider's own appointments: a heap of calls by due time, then in the order in which they were made."""

import heapq
from collections.abc import Callable


class Timer:
    """One appointment; `cancel` makes it never happen."""

    __slots__ = ("at_us", "call")

    def __init__(self, at_us: int, call: Callable[[], object]) -> None:
        self.at_us = at_us
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Forget the appointment. Doing so twice, or after it was kept, changes nothing."""
        self.call = None


class Timers:
    """A clockless timer queue: whoever owns it says what time it is."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._made = 0

    def at(self, at_us: int, call: Callable[[], object]) -> Timer:
        """Arrange that `call` runs at `at_us`."""
        self._made += 1
        timer = Timer(at_us, call)
        heapq.heappush(self._heap, (at_us, self._made, timer))
        return timer

    def due_us(self) -> int | None:
        """When the next appointment is, or None without any."""
        heap = self._heap
        while heap and heap[0][2].call is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now_us: int) -> Timer | None:
        """The next appointment that is due at `now_us`, taken off the queue."""
        due_us = self.due_us()
        return heapq.heappop(self._heap)[2] if due_us is not None and due_us <= now_us else None
