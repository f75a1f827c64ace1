"""The nodes of a live world as things that faults strike: processes of the target, stores, and dependencies."""

from __future__ import annotations

from collections.abc import Callable

import trio

from harness.errors import TargetError
from harness.live import toxic
from harness.live.gate import Gate
from harness.live.host import ServiceHost, http_call
from harness.live.keystore import LiveKeyStore
from harness.live.launch import Running, launch
from harness.live.ports import HOST, is_listening
from harness.live.process import POLL_S, Command
from harness.wire.http import HttpRequest

READY_S = 30.0
SUPERVISOR_S = 1.0
"""A process that ends by itself is started again after this long, as under any supervisor."""
SETTLED_S = 2.0
"""A process without a port counts as ready when it has called something, or has run this long."""
PROBE_US = 1_000_000
FOREVER_US = 3_600_000_000


class ProcessUnit:
    """One instance of a target's process.

    port: where it listens, or 0 when it serves nobody. ready: a path that answers 2xx when it is ready.
    lead_us: how long its last start took.
    """

    def __init__(
        self, gate: Gate, node: str, service: str, command: Command, port: int, ready: str | None = None
    ) -> None:
        self.node = node
        self.service = service
        self.port = port
        self.is_up = False
        self.lead_us = 0
        self.child: Running | None = None
        self.siblings: list[ProcessUnit] = [self]
        self._gate = gate
        self._command = command
        self._ready = ready
        self._is_meant_to_run = False

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        """Starts it and returns when it is ready. Raises TargetError, with its last lines, when it never is."""
        self._is_meant_to_run = True
        child = self.child = launch(self._command)
        started = trio.current_time()
        while not await self._looks_ready(started):
            child.check_alive()
            if trio.current_time() > started + READY_S:
                where = f"nobody listens on {self.address}" if self.port else "it called nothing"
                if self._ready and is_listening(HOST, self.port):
                    where = f"http://{self.address}{self._ready} does not answer 2xx"
                raise child.not_ready(READY_S, where)
            await trio.sleep(POLL_S)
        self.is_up = True
        self.lead_us = int((trio.current_time() - started) * 1e6)
        self._gate.traffic.record("ready", self.node, "")
        self._gate.open_to(self.service)
        self._gate.nursery.start_soon(self._supervise, child)

    async def _looks_ready(self, started: float) -> bool:
        if self.port:
            if not is_listening(HOST, self.port):
                return False
            return self._ready is None or await self._answers(self._ready)
        calls = any(link.connections for (source, _), link in self._gate.links.items() if source == self.node)
        return calls or trio.current_time() > started + SETTLED_S

    async def _answers(self, path: str) -> bool:
        answer = await http_call(self.port, HOST, HttpRequest("GET", path, (), b""), PROBE_US)
        return answer is not None and 200 <= answer.status < 300

    async def _supervise(self, child: Running) -> None:
        while child.is_running:
            await trio.sleep(child.look_s)
        if self.child is child and self._is_meant_to_run:
            self._went_down()
            self._gate.traffic.record("exited", self.node, f"exit code {child.exit_code}")
            await trio.sleep(SUPERVISOR_S)
            if self.child is child and self._is_meant_to_run:
                await self._start_again()

    async def _start_again(self) -> None:
        """A process that does not come back is a thing that the run shows, not the end of the campaign."""
        try:
            await self.start()
        except TargetError as error:
            self._gate.traffic.record("exited", self.node, str(error).partition("\n")[0])

    def _went_down(self) -> None:
        self.is_up = False
        if not any(unit.is_up for unit in self.siblings):
            self._gate.close_to(self.service, sever=False)

    def stop(self) -> None:
        self._is_meant_to_run = False
        if self.child is not None:
            self.child.stop()
        self._went_down()

    def crash(self) -> None:
        """Power cut. Callers see their connections reset, as in the simulation."""
        self._is_meant_to_run = False
        if self.child is not None:
            self.child.crash()
        for link in self._gate.to(self.service):
            link.sever(self.address)
        self._went_down()

    def restart(self) -> None:
        if not self._is_meant_to_run:
            self._is_meant_to_run = True
            self._gate.traffic.record("started", self.node, "")
            self._gate.nursery.start_soon(self._start_again)

    go_down = crash
    come_up = restart

    def pause(self) -> None:
        if self.child is not None:
            self.child.pause()

    def resume(self) -> None:
        if self.child is not None:
            self.child.resume()


class ServiceUnit:
    """A store or a dependency: struck at its links, so that it works on servers that are not ours, too."""

    lead_us = 0

    def __init__(self, gate: Gate, service: str, on_crash: Callable[[], object] = lambda: None) -> None:
        self._gate = gate
        self._service = service
        self._on_crash = on_crash
        self._holds = [toxic.latency(stream, FOREVER_US) for stream in toxic.STREAMS]

    def go_down(self) -> None:
        """Its connections break and new ones are refused; what was committed stays."""
        self._gate.close_to(self._service, sever=True)

    def come_up(self) -> None:
        self._gate.open_to(self._service)

    def crash(self) -> None:
        """Power cut: what it keeps in memory alone is gone."""
        self.go_down()
        self._on_crash()

    restart = come_up

    def pause(self) -> None:
        """Nothing passes, either way, until `resume`."""
        for link in self._gate.to(self._service):
            for hold in self._holds:
                link.add(hold)

    def resume(self) -> None:
        for link in self._gate.to(self._service):
            for hold in self._holds:
                link.remove(hold)


def redis_unit(gate: Gate, store: LiveKeyStore) -> ServiceUnit:
    """A Redis without persistence loses everything with its power."""
    return ServiceUnit(gate, "redis", store.flush)


def dependency_unit(gate: Gate, host: ServiceHost) -> ServiceUnit:
    """Its ledger is on somebody else's disk: it survives."""
    return ServiceUnit(gate, host.name, host.sever)
