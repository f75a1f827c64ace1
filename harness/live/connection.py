"""One connection through the gate: read with the simulation's own readers, named, held, struck, handed on.

    client  <->  gate  <->  Toxiproxy  <->  service

Each connection has a Toxiproxy proxy to itself while it lives, so a toxic on it hits nothing else.
"""

from __future__ import annotations

import re
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from harness.live.protocols import reader
from harness.live.toxic import Toxic
from harness.live.toxiproxy import Proxy
from harness.names import MessageName
from harness.wire import Frame, WireError

if TYPE_CHECKING:
    from harness.live.gate import Gate
    from harness.live.link import Link

CHUNK = 65_536
PIECES = 10
"""A slow message arrives in this many pieces, as in the simulation."""
HOLD_S = 30.0
"""How long a message may be held for a constraint before the constraint is given up as infeasible."""
APPLY_S = 0.25
"""A request without an answer after this long counts as delivered all the same: it waits for a lock, say."""
REACT_S = 0.02
"""How long a process is given to begin with what it got, before what had to come after it goes on its way."""

_BACKEND_KEY = re.compile(rb"K\x00\x00\x00[\x0c-\xff](....)", re.DOTALL)
"""BackendKeyData in the answer to a start-up: the id of the server process, then a secret."""

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


class Connection:
    """Pumps both directions until either end is gone. `pending`: requests that still lack their answer."""

    def __init__(
        self, gate: Gate, link: Link, client: trio.SocketStream, server: trio.SocketStream, proxy: Proxy
    ) -> None:
        self.gate = gate
        self.link = link
        self.proxy = proxy
        self.pending: deque[MessageName] = deque()
        self.answered: dict[MessageName, trio.Event] = {}
        self.toxics: set[str] = set()
        self.resets_client = False
        self.is_deaf = False
        self._client = client
        self._server = server
        self._reader = reader(link.protocol, link.callback_kind)
        self._is_opaque = False
        self._unframed = {"client": b"", "server": b""}

    async def run(self) -> None:
        """Returns when the connection is over; both sockets are closed then."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump_requests)
                await self._pump_replies()
                nursery.cancel_scope.cancel()
        finally:
            self._close(self._client, reset=self.resets_client)
            self._close(self._server, reset=False)

    # Toxics on this connection alone

    def set(self, toxic: Toxic) -> None:
        if toxic.name not in self.toxics:
            self.gate.toxiproxy.add(self.proxy, toxic)
            self.toxics.add(toxic.name)

    def unset(self, toxic: Toxic) -> None:
        if toxic.name in self.toxics:
            self.toxics.discard(toxic.name)
            self.gate.toxiproxy.remove(self.proxy, toxic)

    @property
    def is_silent(self) -> bool:
        """A fault swallows what it carries, for as long as the toxic is set."""
        return self.is_deaf or any(name.startswith("timeout") for name in self.toxics)

    def end(self, *, reset: bool) -> None:
        """Ends it at once: the client sees a reset (RST) or an orderly end (FIN), the service an end."""
        self.resets_client = reset
        self._close(self._client, reset=reset)
        self._close(self._server, reset=False)

    @staticmethod
    def _close(stream: trio.SocketStream, *, reset: bool) -> None:
        if reset and stream.socket.fileno() >= 0:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()

    # From the client to the service

    async def _pump_requests(self) -> None:
        try:
            while data := await self._client.receive_some(CHUNK):
                for frame in self._cut("client", self._reader.from_client, data):
                    await self._request(frame)
            await self._server.send_all(self._unframed["client"])
            await self._wait_for_late_requests()
            await self._server.send_eof()
        except _BROKEN:
            self._close(self._server, reset=False)

    def _cut(self, side: str, read: Callable[[bytes], list[Frame]], data: bytes) -> list[Frame | bytes]:
        """The whole messages in `data`; an incomplete rest is kept. What cannot be read passes as it is."""
        if self._is_opaque:
            return [data]
        fed = self._unframed[side] + data
        try:
            frames = read(data)
        except WireError as error:
            self._is_opaque = True
            self._unframed[side] = b""
            self.gate.traffic.record("unread", self.link.destination, self.link.name, str(error))
            self.gate.injector.cannot_read(self.link.name, error)
            return [fed]
        self._unframed[side] = fed[sum(len(frame.data) for frame in frames) :]
        return list(frames)

    async def _request(self, frame: Frame | bytes) -> None:
        traffic = self.gate.traffic
        if isinstance(frame, bytes):
            await self._server.send_all(frame)
            return
        name = traffic.names.name(self.link.source, self.link.destination, frame.kind)
        self.link.named += 1
        sent_us = traffic.elapsed_us
        if frame.answered:
            self.pending.append(name)
        with traffic.moving():
            fate = await self.gate.injector.on_request(self, name, frame)
            if fate.kind == "ends" or self.is_deaf:
                traffic.lost(name)
                return
            if fate.kind == "travels":
                await self._hold(name)
                await self.gate.injector.before_delivery(name)
            await self._server.send_all(frame.data)
            self.is_deaf = fate.then_deaf
        if fate.kind == "vanishes":
            traffic.lost(name)
        elif fate.delay_us:
            self.gate.later(fate.delay_us, lambda: self._handed_on(name, sent_us, frame))
        else:
            self._handed_on(name, sent_us, frame)

    def _handed_on(self, name: MessageName, sent_us: int, frame: Frame) -> None:
        traffic = self.gate.traffic
        traffic.delivered(name, self.link.protocol, sent_us, frame.data)
        traffic.order.passed(str(name))
        if traffic.order.is_awaited(str(name)):
            self.gate.nursery.start_soon(self._acted_on, name)

    async def _acted_on(self, name: MessageName) -> None:
        """Tells the order that a request has arrived, once the service has shown that it acted on it."""
        event = self.answered.setdefault(name, trio.Event())
        with trio.move_on_after(APPLY_S if self.link.acts_at_once else REACT_S):
            await event.wait()
        self.gate.traffic.order.delivered(str(name))

    async def _hold(self, name: MessageName) -> None:
        traffic = self.gate.traffic
        if traffic.order.must_wait(str(name)):
            traffic.record("held", name.receiver, str(name))
            await traffic.order.wait(str(name), HOLD_S)

    async def _wait_for_late_requests(self) -> None:
        """The client gave up. Toxiproxy knows no half-close: ending our side would cut off a reply to come."""
        if self.pending and not self.toxics:
            with trio.move_on_after(APPLY_S):
                await self.answered.setdefault(self.pending[-1], trio.Event()).wait()

    # From the service to the client

    async def _pump_replies(self) -> None:
        try:
            while data := await self._server.receive_some(CHUNK):
                for frame in self._cut("server", self._reader.from_server, data):
                    await self._reply(frame)
            await self._client.send_all(self._unframed["server"])
        except _BROKEN:
            return

    async def _reply(self, frame: Frame | bytes) -> None:
        traffic = self.gate.traffic
        if isinstance(frame, bytes):
            await self._client.send_all(frame)
            return
        if frame.push or not self.pending:
            name = traffic.names.name(self.link.destination, self.link.source, frame.kind)
        else:
            request = self.pending.popleft()
            self.answered.pop(request, trio.Event()).set()
            name = request.reply
        if name.kind.startswith("STARTUP") and (key := _BACKEND_KEY.search(frame.data)):
            self.gate.backends[int.from_bytes(key[1], "big")] = self.link.source
        sent_us = traffic.elapsed_us
        with traffic.moving():
            fate = await self.gate.injector.on_reply(self, name, frame)
            if fate.kind != "travels":
                traffic.lost(name)
                return
            await self._hold(name)
            await self.gate.injector.before_delivery(name)
            await self._write(frame.data, fate.delay_us)
        traffic.delivered(name, self.link.protocol, sent_us, frame.data)
        traffic.order.passed(str(name))
        if traffic.order.is_awaited(str(name)):
            self.gate.later(int(REACT_S * 1e6), lambda: traffic.order.delivered(str(name)))

    async def _write(self, data: bytes, duration_us: int) -> None:
        """To the client; over `duration_us` in pieces, which no toxic can do to a reply of unknown size."""
        size = -(-len(data) // PIECES) if duration_us else len(data)
        for start in range(0, len(data), max(1, size)):
            await self._client.send_all(data[start : start + size])
            if duration_us:
                await trio.sleep(duration_us / 1e6 / PIECES)

    async def write_half(self, data: bytes) -> None:
        """Half of a reply, then the end of the connection."""
        await self._client.send_all(data[: len(data) // 2])
        self.end(reset=False)
