"""A process of the target as a node: its guest loop, its modules, its surroundings, and how it starts and dies."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from random import Random
from typing import Any

from harness.errors import PaychaosError
from harness.sim import entropy, modules
from harness.sim.asgi import AsgiConnection, Lifespan
from harness.sim.connection import Connection, Endpoint
from harness.sim.loop import GuestLoop
from harness.sim.modules import ModuleSpace
from harness.sim.network import Network
from harness.sim.node import Node
from harness.target import Process
from harness.wire import Conversation
from harness.wire.http import HttpConversation
from harness.wire.plain import SniffingConversation

SUPERVISOR_US = 1_000_000
"""A process that ends by itself is started again after this long, as under any supervisor."""


class _MainFound(BaseException):
    """Carries the coroutine that a plain `main()` gave to `asyncio.run`."""

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine


class _Inside:
    """See `ProcessNode.inside`. A class, as it is entered at every delivery."""

    __slots__ = ("_clocks", "_guest", "_previous", "_space")

    def __init__(self, guest: ProcessNode, space: ModuleSpace, clocks: entropy.Clocks) -> None:
        self._guest = guest
        self._space = space
        self._clocks = clocks

    def __enter__(self) -> None:
        modules.activate(self._space)
        self._clocks.show(self._guest.skew_us)
        self._previous, entropy.current = entropy.current, self._guest

    def __exit__(self, *raised: object) -> None:
        entropy.current = self._previous
        if self._previous is None:
            modules.activate(None)


class ProcessNode(Node):
    """One instance of a target's process.

    spaces: gives a loaded (space, entry object) for the next start; each start takes a fresh one.
    is_ready: an asgi process has completed its start-up; any other has run until it first waited.
    """

    def __init__(
        self,
        network: Network,
        process: Process,
        name: str,
        environ: dict[str, str],
        clocks: entropy.Clocks,
        random: Random,
        spaces: Callable[[Process], tuple[ModuleSpace, Any]],
    ) -> None:
        super().__init__(network, name, process.name)
        self.process = process
        self.random = random
        self.skew_us = 0
        self.is_ready = False
        self.failure: str | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self._environ = environ
        self.environ = dict(environ)
        self._clocks = clocks
        self._spaces = spaces
        self._graveyard: list[GuestLoop] = []
        self._state: dict[str, Any] = {}
        self._app: Any = None
        self._space: ModuleSpace
        self.loop: GuestLoop
        self.is_up = False

    # Surroundings

    def inside(self) -> AbstractContextManager[None]:
        """While the block runs, modules, clocks, randomness and environment are this process's."""
        return _Inside(self, self._space, self._clocks)

    def refuse(self, what: str, remedy: str) -> PaychaosError:
        return self.network.refuse(f"{what} in process {self.name!r}", remedy)

    @property
    def address(self) -> str:
        return self.address_of(self.name)

    def address_of(self, node: str) -> str:
        names = list(self.network.nodes)
        return f"10.0.0.{names.index(node) + 1}"

    def resolve(self, host: str, port: int) -> list[Any]:
        """What getaddrinfo answers: a made-up address per service."""
        return [(2, 1, 6, "", (self._service_address(host), port))]

    def _service_address(self, host: str) -> str:
        if host.startswith("10.0.0.") or host in ("0.0.0.0", "::"):
            return host
        return self.address_of(self.network.instances(self.service_at(host, 0))[0].name)

    def service_at(self, host: str, port: int) -> str:
        """The service that a host name or address of ours means. Raises NotSimulated for any other."""
        if host in ("localhost", "127.0.0.1"):
            return self.service_name
        nodes = list(self.network.nodes.values())
        for number, node in enumerate(nodes, start=1):
            if host in (node.service_name, f"10.0.0.{number}"):
                return node.service_name
        raise self.network.refuse(
            f"a connection to {host}:{port} from process {self.name!r}{_caller()}",
            f"The simulated network has {', '.join(sorted({node.service_name for node in nodes}))};"
            " run with --world live, or give the process a fake.",
        )

    # Starting and stopping

    def start(self) -> None:
        self._space, entry = self._spaces(self.process)
        self.environ = dict(self._environ)
        self.loop = GuestLoop(self)
        self.is_up = True
        self.is_ready = False
        if self.process.asgi:
            self._app, self._state = entry, {}
            lifespan = Lifespan(entry, self._state, self._started)
            self.loop.enter(lambda: self.loop.create_task(lifespan.run()))
        else:
            self.loop.enter(self._start_main, entry)

    def _start_main(self, entry: Any) -> None:
        coroutine = self._main_coroutine(entry)
        task = self.loop.create_task(coroutine)
        task.add_done_callback(self._main_ended)
        self.loop.call_soon(self._started, None)

    def _main_coroutine(self, entry: Any) -> Any:
        """An async `main` gives its coroutine; a plain one is expected to call `asyncio.run`."""
        if inspect.iscoroutinefunction(entry):
            return entry()
        with _catching_asyncio_run():
            try:
                result = entry()
            except _MainFound as found:
                return found.coroutine
        if inspect.isawaitable(result):
            return result
        raise self.network.refuse(
            f"the entry {entry!r} returned {result!r}",
            "A main entry must be an async function, or a function that calls asyncio.run.",
        )

    def _started(self, failure: str | None) -> None:
        if failure is not None:
            self.failure = failure
            self._ended(f"start-up failed: {failure}")
        else:
            self.is_ready = True
            self.network.record("ready", self.name, "")
        self.on_ready()

    def _main_ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        self._ended(f"{type(error).__name__}: {error}" if error else "returned")

    def _ended(self, reason: str) -> None:
        """The process ended by itself: its supervisor starts it again."""
        if not self.loop.is_dead:
            self.network.record("exited", self.name, reason)
            self.crash()
            self.network.agenda.call_later(SUPERVISOR_US, self._restart_unless_up)

    def _restart_unless_up(self) -> None:
        if not self.is_up:
            self.restart()

    def crash(self) -> None:
        """Power cut: the loop never runs again. It is kept, so that no `finally` runs by garbage collection."""
        if self.is_up:
            self.loop.is_dead = True
            self._graveyard.append(self.loop)
            super().crash()

    def end(self) -> None:
        """The run is over: whatever is collected later does nothing and says nothing."""
        if self.is_up:
            self.loop.is_dead = True

    def discard(self) -> None:
        """Closes what is still suspended in dead loops. What that raises concerns nobody any more."""
        with self.inside():
            for loop in [*self._graveyard, self.loop]:
                for task in asyncio.all_tasks(loop):
                    with suppress(Exception):
                        task.get_coro().close()
                loop.close()

    def restart(self) -> None:
        if not self.is_up:
            self.network.record("started", self.name, "")
            self.start()

    def resume(self) -> None:
        super().resume()
        if self.is_up:
            self.loop.wake()

    # Serving

    def conversation(self, port: int) -> Conversation:
        return HttpConversation() if self.process.asgi else SniffingConversation()

    def speaks(self, port: int) -> str:
        return "http" if self.process.asgi else "plain"

    def accept(self, connection: Connection) -> Endpoint | None:
        if self.process.asgi:
            return AsgiConnection(self.loop, self._app, self._state, connection) if self.is_ready else None
        server = self.loop.server_on(connection.port)
        return server.accept(connection) if server else None


@contextmanager
def _catching_asyncio_run() -> Iterator[None]:
    real = asyncio.run

    def run(main: Any, **options: Any) -> Any:
        raise _MainFound(main)

    asyncio.run = run
    try:
        yield
    finally:
        asyncio.run = real


def _caller() -> str:
    """Where in the target's own code the call comes from, when that can be told."""
    for frame in inspect.stack(context=0)[2:]:
        if (
            "site-packages" not in frame.filename
            and "/asyncio/" not in frame.filename
            and "harness" not in frame.filename
        ):
            return (
                f" ({frame.filename.rsplit('/', 2)[-2]}/{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})"
            )
    return ""
