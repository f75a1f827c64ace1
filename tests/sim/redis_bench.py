"""What the tests of the simulated Redis stand on: a host with a hand-driven clock, and clients of both servers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random

from harness.sim.redis import RedisNode
from harness.wire.resp import RespConversation

START_US = 1_700_000_000_000_000


class HandTimer:
    """A timer of `HandHost`."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandHost:
    """A host whose time moves only when a test says so."""

    def __init__(self, seed: int = 1) -> None:
        self.now_us = START_US
        self.random = Random(seed)
        self.notes: list[tuple[str, dict[str, str | int | bool | None]]] = []
        self._timers: list[tuple[int, int, HandTimer, Callable[[], None]]] = []
        self._order = count()

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> HandTimer:
        timer = HandTimer()
        self._timers.append((self.now_us + delay_us, next(self._order), timer, callback))
        return timer

    def note(self, kind: str, **detail: str | int | bool | None) -> None:
        self.notes.append((kind, detail))

    def advance(self, duration_us: int) -> None:
        """Moves the clock and fires what becomes due, in order."""
        end = self.now_us + duration_us
        while True:
            due = sorted(entry for entry in self._timers if entry[0] <= end)
            if not due:
                break
            self._timers.remove(due[0])
            self.now_us = max(self.now_us, due[0][0])
            if not due[0][2].cancelled:
                due[0][3]()
        self.now_us = end


@dataclass(eq=False)
class HandWire:
    """A client of the node; keeps what it is sent."""

    client: str
    sent: bytearray = field(default_factory=bytearray)
    ended: str = ""

    def reply(self, data: bytes) -> None:
        self.sent += data

    def push(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class SimulatedClient:
    """One connection to a node, synchronous."""

    def __init__(self, node: RedisNode, name: str = "api") -> None:
        self._node = node
        self._conversation = RespConversation()
        self.wire = HandWire(name)
        node.opened(self.wire)

    def send(self, data: bytes) -> None:
        """Delivers the requests in `data`, one by one."""
        for frame in self._conversation.from_client(data):
            self._node.received(self.wire, frame)

    def ask(self, *words: bytes | str | int) -> bytes:
        """Sends one command and takes whatever has come back by then."""
        self.send(command(*words))
        return self.take()

    def take(self) -> bytes:
        taken = bytes(self.wire.sent)
        self.wire.sent.clear()
        return taken


def command(*words: bytes | str | int) -> bytes:
    """A command as drivers send it."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
