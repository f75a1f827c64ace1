"""Timers in real time that fire in the order in which they are due; those due together in the order they were set."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

import trio


class RealTimer:
    """A pending call; cancelling one that has fired is allowed and does nothing."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Agenda:
    """`run` is to be running, in trio, for timers to fire."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, RealTimer]] = []
        self._numbers = count()
        self._changed = trio.Event()

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> RealTimer:
        timer = RealTimer(callback)
        heapq.heappush(self._heap, (trio.current_time() + delay_us / 1e6, next(self._numbers), timer))
        self._changed.set()
        return timer

    def clear(self) -> None:
        """Nothing that was planned happens any more."""
        self._heap.clear()

    async def run(self) -> None:
        while True:
            self._changed = trio.Event()
            with trio.move_on_at(self._heap[0][0] if self._heap else trio.current_time() + 3600):
                await self._changed.wait()
            while self._heap and self._heap[0][0] <= trio.current_time():
                callback = heapq.heappop(self._heap)[2].callback
                if callback is not None:
                    callback()
