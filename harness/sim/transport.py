"""asyncio transports and servers over the simulated network."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.sim.connection import Connection
from harness.wire import Frame

if TYPE_CHECKING:
    from harness.sim.loop import GuestLoop


class SimSocket:
    """What `get_extra_info("socket")` gives: enough for libraries that set options and ask for addresses."""

    family, type, proto = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP

    def __init__(self, own: tuple[str, int], peer: tuple[str, int]) -> None:
        self._own, self._peer = own, peer

    def getsockname(self) -> tuple[str, int]:
        return self._own

    def getpeername(self) -> tuple[str, int]:
        return self._peer

    def getsockopt(self, *arguments: Any) -> int:
        return 0

    def setsockopt(self, *arguments: Any) -> None: ...

    def setblocking(self, flag: bool) -> None: ...

    def gettimeout(self) -> float:
        return 0.0

    def fileno(self) -> int:
        return -1

    def close(self) -> None: ...


class SimTransport(asyncio.Transport):
    """One end of a connection as an asyncio transport; the `Endpoint` of a guest process.

    With a `waiter` it is a client's end that is still connecting; without, a server's end.
    """

    _extra: dict[str, Any]  # asyncio.BaseTransport's own; its type stub leaves it out

    def __init__(
        self, loop: GuestLoop, protocol: Any, waiter: asyncio.Future[Any] | None, sock: Any = None
    ) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._waiter = waiter
        self._is_client = waiter is not None
        self._keep_open = sock
        self._closing = False
        self._lost = False
        self._paused = False
        self._unread: list[bytes] = []
        self._eof = False
        self.connection: Connection

    def connect(self, service: str, port: int) -> None:
        process = self._loop.process
        self.connection = process.network.connect(process, service, port, self)
        self._describe()

    def serve(self, connection: Connection) -> None:
        self.connection = connection
        self._describe()

    def _describe(self) -> None:
        process, connection = self._loop.process, self.connection
        own = (
            process.address,
            40_000 + len(connection.client.connections) if self._is_client else connection.port,
        )
        peer_node = connection.server if self._is_client else connection.client
        peer = (process.address_of(peer_node.name), connection.port if self._is_client else 40_000)
        self._extra.update(socket=SimSocket(own, peer), sockname=own, peername=peer)

    # Endpoint: called by the network

    def opened(self) -> None:
        self._loop.enter(self._opened)

    def received(self, data: bytes, frame: Frame | None) -> None:
        self._loop.enter(self._received, data)

    def ended(self, reset: bool) -> None:
        self._loop.enter(self._ended, reset)

    # The same, inside the process

    def _opened(self) -> None:
        self._protocol.connection_made(self)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._paused:
            self._unread.append(data)
        elif isinstance(self._protocol, asyncio.BufferedProtocol):
            self._fill(self._protocol, data)
        else:
            self._protocol.data_received(data)

    @staticmethod
    def _fill(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
        while data:
            buffer = memoryview(protocol.get_buffer(len(data)))
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            protocol.buffer_updated(size)
            data = data[size:]

    def _ended(self, reset: bool) -> None:
        if self._waiter is not None and not self._waiter.done() and not self.connection.is_open:
            self._waiter.set_exception(ConnectionRefusedError(111, "Connection refused"))
            self._lost = True
        elif reset:
            self._lose(ConnectionResetError(104, "Connection reset by peer"))
        elif not self._closing:
            self._eof = True
            if not self._protocol.eof_received():
                self.close()

    def _lose(self, error: Exception | None) -> None:
        self._closing = True
        if not self._lost:
            self._lost = True
            self._loop.call_soon(self._protocol.connection_lost, error)

    # Transport: called by the protocol

    def write(self, data: Any) -> None:
        if self._closing or self._loop.is_dead or not data:
            return
        if self._is_client:
            self.connection.send_request_bytes(bytes(data))
        else:
            self.connection.send_reply_bytes(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if not self._closing and not self._loop.is_dead:
            self.connection.close(from_client=self._is_client)
            self._lose(None)

    def abort(self) -> None:
        if not self._lost and not self._loop.is_dead:
            self.connection.close(from_client=self._is_client, reset=True)
            self._lose(None)

    def write_eof(self) -> None:
        if not self._closing and not self._loop.is_dead:
            self.connection.close(from_client=self._is_client)

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self._closing

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            unread, self._unread = self._unread, []
            for data in unread:
                self._loop.call_soon(self._received, data)

    def get_write_buffer_size(self) -> int:
        return 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 65_536

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


class SimServer(asyncio.AbstractServer):
    """A listening server of a guest (`asyncio.start_server`, `loop.create_server`)."""

    _extra: dict[str, Any]  # asyncio.BaseTransport's own; its type stub leaves it out

    def __init__(self, loop: GuestLoop, protocol_factory: Callable[[], Any], port: int) -> None:
        self._loop = loop
        self._protocol_factory = protocol_factory
        self._closed = loop.create_future()
        self.sockets = [SimSocket((loop.process.address, port), ("0.0.0.0", 0))]

    def accept(self, connection: Connection) -> SimTransport:
        transport = SimTransport(self._loop, None, None)
        transport.serve(connection)
        self._loop.enter(lambda: transport.set_protocol(self._protocol_factory()))
        return transport

    def get_loop(self) -> GuestLoop:
        return self._loop

    def is_serving(self) -> bool:
        return not self._closed.done()

    async def start_serving(self) -> None: ...

    async def serve_forever(self) -> None:
        await self._closed

    def close(self) -> None:
        if not self._closed.done():
            self._loop.forget_server(self)
            self._closed.set_result(None)

    def close_clients(self) -> None: ...

    def abort_clients(self) -> None: ...

    async def wait_closed(self) -> None:
        await self._closed
