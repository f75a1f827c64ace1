"""Nodes of the simulated network: what is addressable, and whether it is up, paused or refusing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.names import MessageName
from harness.sim.connection import Connection, Endpoint
from harness.sim.service import Service
from harness.wire import Conversation, Frame, NewConversation, WireError

if TYPE_CHECKING:
    from random import Random

    from harness.sim.clock import Entry
    from harness.sim.network import Network


class Node:
    """An addressable process. `service_name` is what callers say; several instances share one.

    is_up: it runs. is_paused: it runs, but nothing reaches it. A node that is down refuses connections.
    """

    protocol = "plain"

    def __init__(self, network: Network, name: str, service_name: str | None = None) -> None:
        self.network = network
        self.name = name
        self.service_name = service_name or name
        self.is_up = True
        self.is_paused = False
        self.connections: list[Connection] = []

    def conversation(self, port: int) -> Conversation:
        """A reader for a new connection to this node."""
        raise NotImplementedError

    def accept(self, connection: Connection) -> Endpoint | None:
        """The server's end of a new connection, or None to refuse it."""
        return None

    def speaks(self, port: int) -> str:
        """The protocol of the link to this port: ``http``, ``postgres``, ``resp`` or ``plain``."""
        return self.protocol

    def crash(self) -> None:
        """Power cut. The opposite of `restart`."""
        self.is_up = False
        self.network.sever(self)

    def restart(self) -> None:
        """Starts again after a crash, with nothing in memory."""
        self.is_up = True

    def pause(self) -> None:
        """Stops it where it stands. The opposite of `resume`."""
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        self.network.requeue()


class ClientNode(Node):
    """A node that only calls: a customer."""


class ServiceEnd:
    """The server's end of a connection to a service of ours; it is the service's `Wire`."""

    def __init__(self, connection: Connection, service: Service) -> None:
        self._connection = connection
        self._service = service
        self._open = False

    @property
    def client(self) -> str:
        return self._connection.client.name

    def opened(self) -> None:
        self._open = True
        self._service.opened(self)

    def received(self, data: bytes, frame: Frame | None) -> None:
        """A service never acts on half a request, so bytes that are no whole frame are ignored."""
        if frame is not None and self._open:
            self._service.received(self, frame)

    def ended(self, reset: bool) -> None:
        if self._open:
            self._open = False
            self._service.closed(self)
            self._connection.close(from_client=False)

    def reply(self, data: bytes) -> None:
        kind = self._connection.pending[0].kind if self._connection.pending else "data"
        self._connection.send_reply(Frame(kind, data, answered=False))

    def push(self, data: bytes) -> None:
        self._connection.send_reply(Frame("PUSH", data, answered=False, push=True))

    def close(self) -> None:
        self._leave(reset=False)

    def abort(self) -> None:
        self._leave(reset=True)

    def _leave(self, reset: bool) -> None:
        if self._open:
            self._open = False
            self._service.closed(self)
            self._connection.close(from_client=False, reset=reset)


class ServiceNode(Node):
    """A node whose insides are ours: PostgreSQL, Redis or a dependency. It is the service's `Host`."""

    def __init__(
        self, network: Network, name: str, protocol: str, conversation: NewConversation | None, random: Random
    ) -> None:
        super().__init__(network, name)
        self.protocol = protocol
        self._new_conversation = conversation
        self.random = random
        self.service: Service
        self.on_crash: Callable[[], None] | None = None
        self.on_restart: Callable[[], None] | None = None

    @property
    def now_us(self) -> int:
        return self.network.agenda.now_us

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Entry:
        return self.network.agenda.call_later(delay_us, callback)

    def note(self, kind: str, **detail: str | int | bool | None) -> None:
        text = " ".join(f"{key}={value}" for key, value in detail.items())
        self.network.record("noted", self.name, kind, text)

    def conversation(self, port: int) -> Conversation:
        return self._new_conversation() if self._new_conversation else self.service.conversation()

    def accept(self, connection: Connection) -> Endpoint | None:
        return ServiceEnd(connection, self.service)

    def crash(self) -> None:
        super().crash()
        if self.on_crash:
            self.on_crash()

    def restart(self) -> None:
        if self.on_restart:
            self.on_restart()
        super().restart()


class CallEnd:
    """The client's end of one request that our own side makes: a customer's, or a dependency's callback."""

    def __init__(self, reader: Callable[[bytes], object | None], done: Callable[[object | None], None]) -> None:
        self._reader = reader
        self._done = done
        self.connection: Connection
        self.request = b""
        self.is_over = False

    def opened(self) -> None:
        self.connection.send_request_bytes(self.request)

    def received(self, data: bytes, frame: Frame | None) -> None:
        try:
            answer = self._reader(data)
        except WireError:
            answer = None
            self._finish(None)
        if answer is not None:
            self._finish(answer)

    def ended(self, reset: bool) -> None:
        self._finish(None)

    def give_up(self) -> None:
        """The caller's time-out: the connection is closed, whatever comes later is not looked at."""
        self._finish(None)

    def _finish(self, answer: object | None) -> None:
        if not self.is_over:
            self.is_over = True
            self.connection.close(from_client=True)
            self._done(answer)


__all__ = ["CallEnd", "ClientNode", "MessageName", "Node", "ServiceEnd", "ServiceNode"]
