"""The provider's own appointments: a heap of calls ordered by due time, then by the order in which they were made."""

import heapq
from collections.abc import Callable


class Timer:
    """One appointment; `cancel` makes it never happen."""

    __slots__ = ("at_us", "call", "order")

    def __init__(self, at_us: int, order: int, call: Callable[[], object]) -> None:
        self.at_us = at_us
        self.order = order
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Forget the appointment. Doing so twice, or after it was kept, changes nothing."""
        self.call = None

    def __lt__(self, other: "Timer") -> bool:
        return (self.at_us, self.order) < (other.at_us, other.order)


class Timers:
    """A clockless timer queue: whoever owns it says what time it is."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._made = 0

    def at(self, at_us: int, call: Callable[[], object]) -> Timer:
        """Arrange that `call` runs at `at_us`."""
        self._made += 1
        timer = Timer(at_us, self._made, call)
        heapq.heappush(self._heap, timer)
        return timer

    def due_us(self) -> int | None:
        """When the next appointment is, or None without any."""
        while self._heap and self._heap[0].call is None:
            heapq.heappop(self._heap)
        return self._heap[0].at_us if self._heap else None

    def pop_due(self, now_us: int) -> Timer | None:
        """The next appointment that is due at `now_us`, taken off the queue."""
        due_us = self.due_us()
        return heapq.heappop(self._heap) if due_us is not None and due_us <= now_us else None
