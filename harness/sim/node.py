"""Nodes of the simulated network: what is addressable, and whether it is up, paused or refusing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.sim.call import start_call
from harness.sim.connection import Connection, Endpoint
from harness.sim.service import Service
from harness.wire import Conversation, Frame, NewConversation
from harness.wire.http import HttpRequest, HttpResponse

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
        self.go_down()

    def go_down(self) -> None:
        """Stops serving; what a store has committed stays."""
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

    def forget(self) -> None:
        """The node under the service went down: its side of the connection is gone."""
        if self._open:
            self._open = False
            self._service.closed(self)

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
        self.callback_kind: str | None = None
        self.on_crash: Callable[[], None] | None = None

    @property
    def now_us(self) -> int:
        return self.network.agenda.now_us

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Entry:
        return self.network.agenda.call_later(delay_us, callback)

    def note(self, kind: str, **detail: str | int | bool | None) -> None:
        text = " ".join(f"{key}={value}" for key, value in detail.items())
        self.network.record("noted", self.name, kind, text)

    def call(
        self, url: str, request: HttpRequest, timeout_us: int, done: Callable[[HttpResponse | None], None]
    ) -> None:
        """Sends an HTTP request of this node's own (a callback) to a service of the network."""
        parts = urlsplit(url)
        start_call(
            self.network,
            self,
            parts.hostname or "",
            parts.port or 80,
            request,
            timeout_us,
            done,
            self.callback_kind,
        )

    def conversation(self, port: int) -> Conversation:
        return self._new_conversation() if self._new_conversation else self.service.conversation()

    def accept(self, connection: Connection) -> Endpoint | None:
        return ServiceEnd(connection, self.service)

    def crash(self) -> None:
        super().crash()
        if self.on_crash:
            self.on_crash()

    def go_down(self) -> None:
        ends = [connection.to_server.endpoint for connection in self.connections]
        super().go_down()
        for end in ends:
            if isinstance(end, ServiceEnd):
                end.forget()
