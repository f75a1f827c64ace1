"""What one run writes down about its traffic: names, the History, deliveries, and the clock that they share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.history import Delivery, Event, History
from harness.live.order import LiveOrder
from harness.names import MessageName, NameBook
from harness.plan import Plan


class Traffic:
    """One run's record. Times are microseconds since `start`."""

    def __init__(self, plan: Plan) -> None:
        self.history = History()
        self.names = NameBook()
        self.order = LiveOrder(plan.constraints)
        self.contents: dict[str, bytes] | None = None
        self.last_us = 0
        self.on_the_way = 0
        self._zero_ns = time.monotonic_ns()

    def start(self, spoken: Sequence[MessageName]) -> None:
        """The run begins now: start-up traffic is no part of its History.

        spoken: requests of a start-up before this run, whose numbers are taken. Empty when this run saw its own.
        """
        self._zero_ns = time.monotonic_ns()
        self.history = History()
        for name in spoken:
            self.names.name(name.source, name.destination, name.kind)

    @property
    def elapsed_us(self) -> int:
        return (time.monotonic_ns() - self._zero_ns) // 1_000

    @contextmanager
    def moving(self) -> Iterator[None]:
        """While the block runs, a message is on its way (or held)."""
        self.on_the_way += 1
        try:
            yield
        finally:
            self.on_the_way -= 1

    def record(self, kind: str, who: str, what: str, detail: str = "") -> None:
        self.last_us = self.elapsed_us
        self.history.add(Event(self.last_us, kind, who, what, detail))

    def delivered(self, name: MessageName, protocol: str, sent_us: int, data: bytes) -> None:
        """A message was handed on; `sent_us` is when the gate had read it whole."""
        self.record("delivered", name.receiver, str(name))
        self.history.cover(data)
        self.history.deliveries.append(Delivery(name, protocol, sent_us, self.last_us))
        if self.contents is not None:
            self.contents[str(name)] = data

    def lost(self, name: MessageName) -> None:
        self.record("lost", name.receiver, str(name))
        self.order.lost(str(name))
