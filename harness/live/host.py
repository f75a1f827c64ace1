"""Serves a dependency of ours (a payment provider) on a real listener: the same service object as in the simulation.

The service sees a host with a clock, timers and randomness, and one wire per connection; here those are real.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urlsplit

import trio

from harness.live.agenda import Agenda, RealTimer
from harness.live.gate import Gate
from harness.live.link import Link
from harness.live.ports import HOST
from harness.wire import WireError
from harness.wire.http import HttpRequest, HttpResponse, ResponseReader, request_bytes

CHUNK = 65_536
Done = Callable[[HttpResponse | None], None]


TURN_S = 0.5
"""How long a callback waits until the gate has read the one that was sent before it."""


class ServiceHost:
    """One dependency as a node of a live world. Each run gets a fresh service; connections outlive runs."""

    def __init__(self, name: str, gate: Gate, conversation_kind: str | None) -> None:
        self.name = name
        self.gate = gate
        self.callback_kind = conversation_kind
        self.random = Random(0)
        self.service: Any = None
        self.address = ""
        self._wires: set[_Wire] = set()
        self._agenda = Agenda()
        self._last_sent = trio.Event()
        self._last_sent.set()

    async def listen(self) -> None:
        listeners = await trio.open_tcp_listeners(0, host=HOST)
        self.address = f"{HOST}:{listeners[0].socket.getsockname()[1]}"
        self.gate.nursery.start_soon(trio.serve_listeners, self._serve, listeners)
        self.gate.nursery.start_soon(self._agenda.run)

    def renew(self, service: Callable[[Any], Any], random: Random) -> Any:
        """A fresh service for a run; what the old one still had planned never happens."""
        self._agenda.clear()
        self.random = random
        self.service = service(self)
        for wire in self._wires:
            wire.adopt(self.service)
        return self.service

    # What the service uses (harness.sim.service.Host)

    @property
    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> RealTimer:
        return self._agenda.call_later(delay_us, callback)

    def note(self, kind: str, **detail: str | int | bool | None) -> None:
        text = " ".join(f"{key}={value}" for key, value in detail.items())
        self.gate.traffic.record("noted", self.name, kind, text)

    def call(self, url: str, request: HttpRequest, timeout_us: int, done: Done) -> None:
        """Sends an HTTP request of this node's own (a callback) through its link, after those it sent before."""
        destination = urlsplit(url).hostname or ""
        service, before, sent = self.service, self._last_sent, trio.Event()
        self._last_sent = sent

        async def run() -> None:
            with trio.move_on_after(TURN_S):
                await before.wait()
            link = self.gate.links.get((self.name, destination))
            answer = None
            if link is not None:
                named = link.named
                self.gate.nursery.start_soon(_tell_when_named, link, named, sent)
                answer = await http_call(link.port, destination, request, timeout_us)
            sent.set()
            if self.service is service:
                done(answer)

        self.gate.nursery.start_soon(run)

    # Serving

    async def _serve(self, stream: trio.SocketStream) -> None:
        wire = _Wire(stream, self.service)
        self._wires.add(wire)
        try:
            await wire.run()
        finally:
            self._wires.discard(wire)

    def sever(self) -> None:
        """Its connections break, as when it lost its power."""
        for wire in list(self._wires):
            wire.abort()


class _Wire:
    """One client connection, seen from the service (harness.sim.service.Wire)."""

    client = "gate"

    def __init__(self, stream: trio.SocketStream, service: Any) -> None:
        self._stream = stream
        self._service = service
        self._outgoing: deque[bytes | None] = deque()
        self._wake = trio.Event()
        self._is_open = True

    def adopt(self, service: Any) -> None:
        """Another run begins: the connection goes on with a fresh service."""
        self._outgoing.clear()
        self._service = service
        service.opened(self)

    async def run(self) -> None:
        reader = self._service.conversation()
        self._service.opened(self)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                while data := await self._stream.receive_some(CHUNK):
                    for frame in reader.from_client(data):
                        self._service.received(self, frame)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, WireError):
            pass
        finally:
            if self._is_open:
                self._is_open = False
                self._service.closed(self)
            self._stream.socket.close()

    async def _write(self) -> None:
        while True:
            while self._outgoing:
                data = self._outgoing.popleft()
                if data is None:
                    self._stream.socket.close()
                    return
                await self._stream.send_all(data)
            await self._wake.wait()
            self._wake = trio.Event()

    def reply(self, data: bytes) -> None:
        self._outgoing.append(data)
        self._wake.set()

    push = reply

    def close(self) -> None:
        self._outgoing.append(None)
        self._wake.set()

    def abort(self) -> None:
        self._stream.socket.close()


async def _tell_when_named(link: Link, named: int, sent: trio.Event) -> None:
    """Callbacks arrive in the order in which they were sent, unless a plan says otherwise."""
    with trio.move_on_after(TURN_S):
        while link.named == named and not sent.is_set():
            await trio.sleep(0.0005)
    sent.set()


async def http_call(port: int, host: str, request: HttpRequest, timeout_us: int) -> HttpResponse | None:
    """One request on a connection of its own; None after `timeout_us` or when the connection breaks."""
    reader = ResponseReader(request.method == "HEAD")
    data = request_bytes(request.method, request.target, host, request.headers, request.body)
    with trio.move_on_after(timeout_us / 1e6):
        try:
            async with await trio.open_tcp_stream(HOST, port) as stream:
                await stream.send_all(data)
                while chunk := await stream.receive_some(CHUNK):
                    response = reader.next(chunk)
                    if response is not None:
                        return response
                return reader.end()
        except (trio.BrokenResourceError, OSError, WireError):
            return None
    return None
