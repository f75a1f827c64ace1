"""What a node of ours (PostgreSQL, Redis, a provider) looks like to the simulated network, and the reverse.

The network delivers whole requests, one at a time; a service answers at once or later. Nothing here waits:
a service is a function of the order in which it is called, which is what makes a run replayable.
"""

from collections.abc import Callable
from random import Random
from typing import Protocol

from harness.wire import Conversation, Frame


class Timer(Protocol):
    """A pending call; cancelling one that has fired is allowed and does nothing."""

    def cancel(self) -> None: ...


class Host(Protocol):
    """What the world offers to a service."""

    @property
    def now_us(self) -> int:
        """Virtual time in microseconds since the Unix epoch (not since the start of the run)."""

    @property
    def random(self) -> Random:
        """This node's own stream, seeded from the run's seed and the node's name."""

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Timer:
        """Calls back in virtual time, after everything that was due earlier."""

    def note(self, kind: str, **detail: str | int | bool | None) -> None:
        """Writes an event of this node into the History (and so into the digest)."""


class Wire(Protocol):
    """One client connection, seen from the service."""

    @property
    def client(self) -> str:
        """The name of the calling node: ``api``, ``worker-2``."""

    def reply(self, data: bytes) -> None:
        """The whole answer to the oldest request still unanswered on this wire."""

    def push(self, data: bytes) -> None:
        """Bytes that answer no request."""

    def close(self) -> None:
        """Ends the connection in order (FIN), after what was sent before."""

    def abort(self) -> None:
        """Breaks the connection (RST)."""


class Service(Protocol):
    """A node that is written by us."""

    def conversation(self) -> Conversation:
        """A fresh reader for one connection."""

    def opened(self, wire: Wire) -> None: ...

    def received(self, wire: Wire, request: Frame) -> None:
        """One request, in delivery order. The reply may be given inside this call or at any later time."""

    def closed(self, wire: Wire) -> None:
        """The client is gone (its process crashed, or it closed). No reply can be given any more."""
