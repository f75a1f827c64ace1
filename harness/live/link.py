"""One link: a listener of ours that callers are pointed at, and the Toxiproxy proxies behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING

import trio

from harness.live.connection import Connection
from harness.live.ports import listening_socket
from harness.live.toxic import Toxic
from harness.live.toxiproxy import Proxy

if TYPE_CHECKING:
    from harness.live.gate import Gate

Upstreams = Callable[[], Sequence[str]]
"""The addresses (``127.0.0.1:5432``) of the service's instances that are up; each connection takes its turn."""


class Link:
    """``api>postgres``. It listens while the service is to be reached, else connections are refused.

    named: how many requests the gate has read on it. source_service: what the caller is an instance of.
    acts_at_once: the service applies a request as it reads it (a store), so its answer tells when that was.
    """

    def __init__(
        self,
        gate: Gate,
        source: str,
        source_service: str,
        destination: str,
        protocol: str,
        upstreams: Upstreams,
        callback_kind: str | None = None,
    ) -> None:
        self.gate = gate
        self.source = source
        self.source_service = source_service
        self.destination = destination
        self.protocol = protocol
        self.callback_kind = callback_kind
        self.upstreams = upstreams
        self.connections: set[Connection] = set()
        self.port = 0
        self.named = 0
        self._listener: trio.SocketListener | None = None
        self._accepting: trio.CancelScope | None = None
        self._toxics: list[Toxic] = []
        self._spare: dict[str, list[Proxy]] = {}
        self._numbers = count(1)

    @property
    def name(self) -> str:
        return f"{self.source}>{self.destination}"

    @property
    def acts_at_once(self) -> bool:
        return self.protocol in ("postgres", "resp")

    def joins(self, a: str, b: str) -> bool:
        """Whether it runs between two nodes, either way; a service's name stands for all of its instances."""
        ends = {self.source, self.source_service}
        return (a in ends and b == self.destination) or (b in ends and a == self.destination)

    # Listening

    def open(self) -> None:
        """Starts listening unless its service is down; the port stays the same over `close` and `open`."""
        if self._listener is None and self.destination not in self.gate.closed_services:
            listener = listening_socket(self.port)
            self.port = listener.getsockname()[1]
            listener.setblocking(False)
            self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
            self._accepting = trio.CancelScope()
            self.gate.nursery.start_soon(self._accept, self._listener, self._accepting)

    def close(self) -> None:
        """Refuses new connections; those that exist go on. The opposite of `open`."""
        if self._listener is not None:
            self._listener.socket.close()
            self._listener = None
        if self._accepting is not None:
            self._accepting.cancel()

    def sever(self, upstream: str | None = None) -> None:
        """Breaks every connection (to one instance), as when the service lost its power."""
        for connection in list(self.connections):
            if upstream in (None, connection.proxy.upstream):
                connection.end(reset=True)

    async def _accept(self, listener: trio.SocketListener, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                try:
                    stream = await listener.accept()
                except (trio.ClosedResourceError, OSError):
                    return
                self.gate.nursery.start_soon(self._serve, stream)

    async def _serve(self, client: trio.SocketStream) -> None:
        try:
            upstreams = self.upstreams()
            if upstreams:
                turn = self.gate.turns.get(self.destination, 0)
                self.gate.turns[self.destination] = turn + 1
                await self._carry(client, self._take(upstreams[turn % len(upstreams)]))
        finally:
            client.socket.close()

    async def _carry(self, client: trio.SocketStream, proxy: Proxy) -> None:
        try:
            server = await trio.open_tcp_stream(proxy.host, proxy.port)
        except OSError:
            # A proxy of ours does not listen any more: if Toxiproxy died, the run is worth nothing.
            self.gate.toxiproxy.version()
            return
        connection = Connection(self.gate, self, client, server, proxy)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
            self._give_back(connection)

    # Proxies

    def _take(self, upstream: str) -> Proxy:
        spare = self._spare.setdefault(upstream, [])
        if spare:
            return spare.pop()
        proxy = self.gate.toxiproxy.create(f"{self.name}.{next(self._numbers)}", upstream)
        for toxic in self._toxics:
            self.gate.toxiproxy.add(proxy, toxic)
        return proxy

    def _give_back(self, connection: Connection) -> None:
        if connection.toxics:
            self.gate.toxiproxy.delete(connection.proxy)
        else:
            self._spare.setdefault(connection.proxy.upstream, []).append(connection.proxy)

    def _proxies(self) -> list[Proxy]:
        spare = [proxy for proxies in self._spare.values() for proxy in proxies]
        return spare + [connection.proxy for connection in self.connections]

    def add(self, toxic: Toxic) -> None:
        """On every connection that there is and that comes. The opposite of `remove`."""
        if toxic not in self._toxics:
            self._toxics.append(toxic)
            for proxy in self._proxies():
                self.gate.toxiproxy.add(proxy, toxic)

    def remove(self, toxic: Toxic) -> None:
        if toxic in self._toxics:
            self._toxics.remove(toxic)
            for proxy in self._proxies():
                self.gate.toxiproxy.remove(proxy, toxic)

    def heal(self) -> None:
        """No toxic any more; a connection that was made silent is found dead by both ends."""
        for toxic in list(self._toxics):
            self.remove(toxic)
        for connection in list(self.connections):
            if connection.toxics or connection.is_deaf:
                connection.end(reset=True)

    def delete_proxies(self) -> None:
        for proxy in self._proxies():
            self.gate.toxiproxy.delete(proxy)
        self._spare.clear()
