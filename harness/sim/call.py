"""One HTTP request that our own side makes: a customer's, or a dependency's callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.sim.connection import Connection
from harness.wire import Frame, WireError
from harness.wire.http import HttpConversation, HttpRequest, HttpResponse, ResponseReader, request_bytes

if TYPE_CHECKING:
    from harness.sim.network import Network
    from harness.sim.node import Node

Done = Callable[[HttpResponse | None], None]
"""Called once: with the response, or with None when none came."""


class Call:
    """The client's end of the one request that its connection carries."""

    def __init__(self, request: bytes, to_head: bool, done: Done) -> None:
        self._request = request
        self._reader = ResponseReader(to_head)
        self._done = done
        self._is_over = False
        self.connection: Connection

    def opened(self) -> None:
        if not self._is_over:
            self.connection.send_request_bytes(self._request)

    def received(self, data: bytes, frame: Frame | None) -> None:
        if self._is_over:
            return
        try:
            response = self._reader.next(data)
        except WireError:
            self._finish(None)
            return
        if response is not None:
            self._finish(response)

    def ended(self, reset: bool) -> None:
        self._finish(None)

    def give_up(self) -> None:
        """The caller's time-out: the connection is closed, whatever comes later is not looked at."""
        self._finish(None)

    def _finish(self, response: HttpResponse | None) -> None:
        if not self._is_over:
            self._is_over = True
            self.connection.close(from_client=True)
            self._done(response)


def start_call(
    network: Network,
    client: Node,
    service: str,
    port: int,
    request: HttpRequest,
    timeout_us: int,
    done: Done,
    callback_kind: str | None = None,
) -> None:
    """Connects, sends, and calls `done` with the response, or with None after `timeout_us` or a broken connection."""
    data = request_bytes(request.method, request.target, service, request.headers, request.body)
    call = Call(data, request.method == "HEAD", done)
    call.connection = network.connect(client, service, port, call)
    if callback_kind:
        call.connection.conversation = HttpConversation(callback_kind)
    network.agenda.call_later(timeout_us, call.give_up)
