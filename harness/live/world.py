"""The live world: one run of a plan on a rig of real processes and stores, in real time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from harness.errors import LimitExceeded
from harness.live.host import http_call
from harness.live.injector import LiveInjector
from harness.live.rig import Rig
from harness.live.state import LiveState
from harness.live.traffic import Traffic
from harness.plan import Plan
from harness.run import RowChange, Run
from harness.scenario import Scenario
from harness.wire.http import HttpRequest, HttpResponse
from harness.world import World

DRAIN_S = 15.0
SETTLE_S = 60.0
QUIET_S = 1.0
LOOK_S = 0.1
"""How long traffic may run on after the workload; how long a healed world gets at most (real time is dearer than
virtual); how long it must have been quiet to count as quiet; how often that is looked at."""


class LiveWorld(World):
    """One run. fresh: every process starts anew for it, so that names and timers begin as in the simulation."""

    def __init__(self, rig: Rig, plan: Plan, scenario: Scenario, *, fresh: bool, detail: bool) -> None:
        super().__init__(plan)
        self.rig = rig
        self._limits = scenario.limits
        self._instances = scenario.instances
        self._fresh = fresh
        self._detail = detail
        self._state = LiveState(self)
        self._traffic = Traffic(plan)
        self._injector: LiveInjector
        self.started_at_us = time.time_ns() // 1_000

    # Workload

    @property
    def elapsed_us(self) -> int:
        return self._traffic.elapsed_us

    async def sleep_us(self, duration_us: int) -> None:
        await trio.sleep(duration_us / 1e6)

    async def request(self, node: str, request: HttpRequest, timeout_us: int) -> HttpResponse | None:
        service = self.rig.customer_service()
        link = self.rig.link(node, node, service)
        return await http_call(link.port, service, request, timeout_us)

    def _outcome(self, outcome: Any) -> None:
        words = f"{outcome.method} {outcome.path}", f"{outcome.kind} {outcome.status}"
        self._traffic.record("outcome", outcome.client, *words)
        super()._outcome(outcome)

    # Engine

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Real time passes, so a limit is a deadline: the workload's, and that of the phase after it."""
        limit_s = (self._limits.virtual_us + self._limits.liveness_us) / 1e6 + DRAIN_S
        with trio.move_on_after(limit_s) as scope:
            yield
        if scope.cancelled_caught:
            raise LimitExceeded(
                f"the run was not over after {limit_s:.0f} s; raise Limits(virtual_us=…), or look for a call without"
                " a time-out."
            )

    async def boot(self) -> None:
        self._traffic, self._injector = await self.rig.prepare(self.plan, self._instances, fresh=self._fresh)
        if self._detail:
            self._traffic.contents = {}
        self.started_at_us = time.time_ns() // 1_000
        self._injector.start()

    async def drain(self) -> None:
        await self._until_quiet(lambda: True, DRAIN_S)

    def heal(self) -> None:
        self._traffic.record("healed", "world", "")
        self._injector.heal()
        self.rig.gate.heal()
        for host in self.rig.hosts.values():
            if hasattr(host.service, "heal"):
                host.service.heal()

    async def settle(self, is_settled: Callable[[], bool], limit_us: int) -> None:
        await self._until_quiet(is_settled, min(limit_us / 1e6, SETTLE_S))
        self.rig.gate.toxiproxy.version()

    async def _until_quiet(self, also: Callable[[], bool], limit_s: float) -> None:
        """Waits until nothing was under way for `QUIET_S`, seen at every look, and `also` holds."""
        give_up = trio.current_time() + limit_s
        quiet_since = trio.current_time()
        while trio.current_time() < give_up:
            await trio.sleep(LOOK_S)
            if not self._is_quiet():
                quiet_since = trio.current_time()
            elif trio.current_time() >= quiet_since + QUIET_S and also():
                return

    def _is_quiet(self) -> bool:
        hosts = self.rig.hosts.values()
        return (
            not self._traffic.on_the_way
            and not self.rig.gate.unanswered()
            and all(unit.is_up for unit in self.rig.processes)
            and all(host.service.is_idle() for host in hosts if hasattr(host.service, "is_idle"))
        )

    @property
    def state(self) -> LiveState:
        return self._state

    def row_changes(self) -> list[RowChange]:
        database = self.rig.database
        return (
            database.row_history(self.started_at_us, self.rig.gate.backends) if database is not None else []
        )

    def report(self, run: Run, detail: bool) -> None:
        traffic = self._traffic
        run.digest = traffic.history.digest
        run.steps = len(traffic.history.deliveries)
        run.virtual_us = traffic.elapsed_us
        run.deliveries = traffic.history.deliveries
        run.hits = self._hits()
        run.enforced = traffic.order.enforced
        run.infeasible = sorted(traffic.order.infeasible)
        if detail:
            run.events = traffic.history.events
            run.rows = self.row_changes()
            run.exports = {name: host.service.export() for name, host in self.rig.hosts.items()}
            run.contents = {
                name: data.decode("utf-8", "replace") for name, data in (traffic.contents or {}).items()
            }

    def _hits(self) -> list[bool]:
        hits = list(self._injector.hits)
        services = [host.service for host in self.rig.hosts.values() if hasattr(host.service, "was_hit")]
        for index, fault in enumerate(self.plan.faults):
            hits[index] = hits[index] or any(service.was_hit(fault) for service in services)
        return hits
