"""The guest loop: an asyncio event loop without an operating system, one per simulated process.

The world pumps it: after a delivery or when a timer is due it runs its ready handles natively until none is left.
Connections are the simulated network's. What it does not offer raises `NotSimulated`.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from math import ceil
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sniffio import thread_local as sniffio_library

from harness.errors import LimitExceeded
from harness.sim.clock import Entry
from harness.sim.transport import SimServer, SimTransport

if TYPE_CHECKING:
    from harness.sim.process import ProcessNode

SPINS = 10_000
"""How many rounds of ready handles a process may take at one instant before it counts as never waiting."""


class _NoSelector:
    """Stands where asyncio polls the operating system: nothing ever comes from there."""

    def select(self, timeout: float | None) -> list[Any]:
        return []

    def close(self) -> None: ...


class GuestTask(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks iterate in the same order in every process."""

    def __init__(self, coroutine: Any, *, number: int, **options: Any) -> None:
        self._number = number
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number


class GuestFuture(asyncio.Future[Any]):
    """A future with a stable hash, see `GuestTask`."""

    _number = 0

    def __hash__(self) -> int:
        return self._number


class GuestLoop(asyncio.BaseEventLoop):
    """The loop of one process instance. `is_dead`: its process crashed; nothing of it runs again."""

    # What BaseEventLoop has of its own and its type stub leaves out.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _asyncgens: WeakSet[Any]
    _run_once: Callable[[], None]
    _asyncgen_finalizer_hook: Callable[[Any], None]

    def __init__(self, process: ProcessNode) -> None:
        super().__init__()
        self._selector = _NoSelector()
        self._clock_resolution = 1e-9
        self.process = process
        self.agenda = process.network.agenda
        self.is_dead = False
        self._alarm: Entry | None = None
        self._hash_numbers = count(1)
        self._servers: dict[int, SimServer] = {}
        self._socket_addresses: dict[int, tuple[str, int]] = {}
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._unhandled)

    # Time and turns

    def time(self) -> float:
        return self.agenda.elapsed_us / 1e6

    def enter(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Runs a call inside the process, then everything that became ready by it."""
        if self.is_dead:
            return
        with self.process.inside():
            previous_hooks = sys.get_asyncgen_hooks()
            previous_library, sniffio_library.name = sniffio_library.name, "asyncio"
            asyncio._set_running_loop(self)
            sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
            try:
                call(*arguments)
                self._pump()
            finally:
                sys.set_asyncgen_hooks(*previous_hooks)
                asyncio._set_running_loop(None)
                sniffio_library.name = previous_library
        self._set_alarm()

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        self._asyncgens.add(agen)

    def _pump(self) -> None:
        spins = 0
        while self._ready or self._timer_is_due():
            self._run_once()
            spins += 1
            if spins > SPINS:
                raise LimitExceeded(
                    f"process {self.process.name!r} ran {SPINS} rounds of its loop without ever waiting;"
                    " look for a loop around `await asyncio.sleep(0)`."
                )

    def _timer_is_due(self) -> bool:
        return bool(self._scheduled) and self._due_us(self._scheduled[0]) <= self.agenda.elapsed_us

    @staticmethod
    def _due_us(handle: asyncio.TimerHandle) -> int:
        """Rounded up, as asyncio never fires early; the thousandth forgives what floats add to whole numbers."""
        return ceil(handle.when() * 1e6 - 1e-3)

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            if self._scheduled and self._alarm.callback and self._alarm.due_us == self._next_due_us():
                return
            self._alarm.cancel()
            self._alarm = None
        if self._scheduled:
            self._alarm = self.agenda.call_at(self._next_due_us(), self._ring)

    def _next_due_us(self) -> int:
        elapsed_us = self._due_us(self._scheduled[0])
        return max(self.agenda.now_us, self.agenda.now_us - self.agenda.elapsed_us + elapsed_us)

    def _ring(self) -> None:
        self._alarm = None
        if not self.process.is_paused:
            self.enter(_nothing)

    def wake(self) -> None:
        """Lets the process run again after a pause."""
        self.enter(_nothing)

    # What BaseEventLoop asks of its kind of loop

    def _process_events(self, event_list: Iterable[Any]) -> None: ...

    def _write_to_self(self) -> None:
        self.agenda.call_later(0, self._ring)

    def create_future(self) -> asyncio.Future[Any]:
        future = GuestFuture(loop=self)
        future._number = next(self._hash_numbers)
        return future

    def _make_task(self, loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        return GuestTask(coroutine, number=next(self._hash_numbers), loop=loop, **options)

    def _unhandled(self, loop: Any, context: dict[str, Any]) -> None:
        if self.is_dead:
            return
        error = context.get("exception")
        self.process.network.record(
            "unhandled", self.process.name, context.get("message", ""), repr(error) if error else ""
        )

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Runs the function at once: threads would not be under our control."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except BaseException as error:
            future.set_exception(error)
        return future

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """Accepted: no signal is ever sent in the simulation (a crash is a power cut)."""

    def remove_signal_handler(self, sig: int) -> bool:
        return True

    # Names and connections

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[Any]:
        return self.process.resolve(_text(host), int(port or 0))

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        return str(sockaddr[0]), str(sockaddr[1])

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Only remembers where to: aiohttp and anyio hand the socket to `create_connection` next."""
        self._socket_addresses[sock.fileno()] = (address[0], address[1])

    async def create_connection(
        self,
        protocol_factory: Any,
        host: Any = None,
        port: Any = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        **options: Any,
    ) -> tuple[Any, Any]:
        if sock is not None:
            host, port = self._socket_addresses.pop(sock.fileno())
        host = _text(host)
        if ssl:
            raise self.process.network.refuse(
                f"TLS to {host}:{port} from process {self.process.name!r}",
                "Links are plain inside the simulation: give the process an http:// (or sslmode=disable) URL.",
            )
        service = self.process.service_at(host, port)
        waiter = self.create_future()
        protocol = protocol_factory()
        transport = SimTransport(self, protocol, waiter, sock)
        transport.connect(service, port)
        await waiter
        return transport, protocol

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Any, host: Any = None, port: Any = None, *, ssl: Any = None, **options: Any
    ) -> SimServer:
        if ssl:
            raise self.process.network.refuse(
                f"a TLS server in process {self.process.name!r}", "Serve plain HTTP in the simulation."
            )
        server = SimServer(self, protocol_factory, port or 0)
        self._servers[port or 0] = server
        return server

    def server_on(self, port: int) -> SimServer | None:
        return self._servers.get(port)

    def forget_server(self, server: SimServer) -> None:
        self._servers = {port: kept for port, kept in self._servers.items() if kept is not server}


def _nothing() -> None: ...


def _text(host: Any) -> str:
    return host.decode() if isinstance(host, bytes) else str(host)


_TCP_ONLY = "The simulation knows TCP between its own nodes; run this part with --world live."
_NOT_SIMULATED = {
    "create_datagram_endpoint": _TCP_ONLY,
    "create_unix_connection": _TCP_ONLY,
    "create_unix_server": _TCP_ONLY,
    "subprocess_exec": "A simulated process has no children; make it a Process of its own.",
    "subprocess_shell": "A simulated process has no children; make it a Process of its own.",
    "connect_read_pipe": _TCP_ONLY,
    "connect_write_pipe": _TCP_ONLY,
    "start_tls": "Links are plain inside the simulation.",
    "sendfile": "Read the file and send its bytes.",
    "sock_recv": _TCP_ONLY,
    "sock_recv_into": _TCP_ONLY,
    "sock_sendall": _TCP_ONLY,
    "sock_accept": _TCP_ONLY,
    "add_reader": _TCP_ONLY,
    "add_writer": _TCP_ONLY,
}


def _refusal(name: str, remedy: str) -> Callable[..., Any]:
    def refuse(self: GuestLoop, *arguments: Any, **options: Any) -> Any:
        raise self.process.refuse(f"loop.{name}()", remedy)

    return refuse


for _name, _remedy in _NOT_SIMULATED.items():
    setattr(GuestLoop, _name, _refusal(_name, _remedy))
