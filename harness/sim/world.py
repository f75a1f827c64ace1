"""The simulated world: one run's network, nodes, stores and customers, put together from a target's build."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from harness.errors import TargetError
from harness.history import History
from harness.plan import Plan
from harness.policy import make_policy
from harness.run import RowChange, Run
from harness.scenario import Scenario
from harness.seed import child_random, child_seed
from harness.sim.call import start_call
from harness.sim.clock import START_US, Agenda
from harness.sim.driver import Driver
from harness.sim.entropy import Clocks
from harness.sim.injector import Injector, Store
from harness.sim.modules import ModuleSpace
from harness.sim.network import Network
from harness.sim.node import ClientNode, Node, ServiceNode
from harness.sim.order import Order
from harness.sim.process import ProcessNode
from harness.sim.state import SimState
from harness.target import Dependency, Process, Target
from harness.wire.http import HttpRequest, HttpResponse
from harness.world import World

if TYPE_CHECKING:
    from harness.sim.postgres import Database, PostgresNode
    from harness.sim.redis import RedisNode

BOOT_US = 30_000_000
BOOT_LOOK_US = 5_000
DRAIN_US = 15_000_000
QUIET_US = 1_000_000
LOOK_US = 250_000
"""How long a target may take to become ready and how often that is looked at; how long traffic may run on after the
workload, how long it must have been quiet to count as quiet, and how often that is looked at (all virtual)."""

Spaces = Callable[[Process], tuple[ModuleSpace, Any]]


class SimWorld(World):
    """One run in virtual time. `database` is already reset; `spaces` gives loaded modules for each start."""

    def __init__(
        self,
        target: Target,
        build: str,
        plan: Plan,
        scenario: Scenario,
        *,
        database: Database | None,
        spaces: Spaces,
        clock: trio.testing.MockClock,
        detail: bool = False,
    ) -> None:
        super().__init__(plan)
        self.target = target
        self.build = build
        self.database = database
        self.redis: RedisNode | None = None
        self._postgres: PostgresNode | None = None
        self.services: dict[str, Any] = {}
        self._limits = scenario.limits
        self._instances = scenario.instances
        self._agenda = Agenda()
        self._history = History()
        self._order = Order(plan.constraints)
        policy = make_policy(plan.policy, child_seed(plan.seed, "policy"))
        self.network = Network(self._agenda, self._history, policy, self._order, scenario.limits.steps)
        if detail:
            self.network.contents = {}
        self._clocks = Clocks(self._agenda)
        self._spaces = spaces
        self._driver = Driver(self.network, clock)
        self._state = SimState(self)
        self._processes: list[ProcessNode] = []
        self._boot_deliveries = 0
        self._stores: dict[str, Store] = {}
        self._add_stores()
        self._add_dependencies()
        self._add_processes()
        self._injector = Injector(self.network, plan.faults, self._stores)

    # Building

    def _add_stores(self) -> None:
        """A store's library is imported only for a target that uses it."""
        if self.database is not None:
            from harness.sim.postgres import PostgresNode

            node = self._service_node("postgres", "postgres")
            node.service = self._postgres = PostgresNode(node, self.database)
        if self.target.redis:
            from harness.sim.redis import RedisNode

            node = self._service_node("redis", "resp")
            node.service = self.redis = self._stores["redis"] = RedisNode(node)
            node.on_crash = self.redis.crash

    def _service_node(self, name: str, protocol: str) -> ServiceNode:
        node = ServiceNode(self.network, name, protocol, None, child_random(self.plan.seed, "node", name))
        self.network.add(node)
        return node

    def _add_dependencies(self) -> None:
        for dependency in self.target.dependencies:
            node = self._service_node(dependency.name, "http")
            node.callback_kind = dependency.callback_kind
            node.service = self.services[dependency.name] = dependency.service(node)
            self._tell(dependency, node.service)

    def _tell(self, dependency: Dependency, service: Any) -> None:
        kinds = {kind.name for kind in dependency.faults}
        for fault in self.plan.faults:
            if fault.kind in kinds:
                service.behave(fault)

    def _add_processes(self) -> None:
        variables, urls = self.target.env_of(self.build), self._urls()
        for process in self.target.processes_of(self.build):
            if process.name in self._instances:
                process = replace(process, instances=self._instances[process.name])
            wanted = {**_ENVIRON, **variables, **process.env}
            environ = {name: _filled(text, urls) for name, text in wanted.items()}
            for name in process.nodes:
                random = child_random(self.plan.seed, "node", name)
                node = ProcessNode(self.network, process, name, environ, self._clocks, random, self._spaces)
                self.network.add(node)
                self._processes.append(node)

    def _urls(self) -> dict[str, str]:
        """What ``{postgres}``, ``{redis}`` and the names of processes and dependencies stand for in `env`."""
        urls = {"postgres": "postgresql://app:app@postgres:5432/app", "redis": "redis://redis:6379/0"}
        urls["postgres_address"] = "app:app@postgres:5432/app"
        for dependency in self.target.dependencies:
            urls[dependency.name] = f"http://{dependency.name}"
        for process in self.target.processes_of(self.build):
            urls[process.name] = f"http://{process.name}"
        return urls

    # Workload

    @property
    def elapsed_us(self) -> int:
        return self._agenda.elapsed_us

    async def sleep_us(self, duration_us: int) -> None:
        woken = trio.Event()
        self._agenda.call_later(duration_us, lambda: self._wake(woken))
        await woken.wait()

    def _wake(self, event: trio.Event) -> None:
        event.set()
        self._driver.touch()

    async def request(self, node: str, request: HttpRequest, timeout_us: int) -> HttpResponse | None:
        answered = trio.Event()
        answers: list[HttpResponse | None] = []

        def done(response: HttpResponse | None) -> None:
            answers.append(response)
            self._wake(answered)

        service = self.target.entry_of(self.build)
        start_call(self.network, self._customer(node), service, 80, request, timeout_us, done)
        await answered.wait()
        return answers[0]

    def _customer(self, name: str) -> Node:
        if name not in self.network.nodes:
            self.network.add(ClientNode(self.network, name))
        return self.network.nodes[name]

    def _outcome(self, outcome: Any) -> None:
        self.network.record(
            "outcome", outcome.client, f"{outcome.method} {outcome.path}", f"{outcome.kind} {outcome.status}"
        )
        super()._outcome(outcome)

    # Engine

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        self._clocks.start()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._driver.run)
                yield
                self._driver.is_stopped = True
        finally:
            self._end()

    def _end(self) -> None:
        for process in self._processes:
            process.end()
        self._clocks.stop()
        if self._postgres is not None:
            self._postgres.finish()

    def discard(self) -> None:
        """Lets go of what the target left suspended, while nothing of it can reach a later run."""
        for process in self._processes:
            process.discard()

    async def boot(self) -> None:
        for node in self._processes:
            node.start()
        give_up_us = self._agenda.now_us + BOOT_US
        if not self._is_booted():
            await self._look(
                lambda: self._is_booted() or self._failed() is not None or self._agenda.now_us > give_up_us,
                BOOT_LOOK_US,
            )
        if not self._is_booted():
            raise self._not_booted()
        self._boot_deliveries = len(self._history.deliveries)
        self._driver.limit_us = self._agenda.now_us + self._limits.virtual_us
        self._injector.start()

    def _is_booted(self) -> bool:
        return all(node.is_ready for node in self._processes) and not self.network.moving

    def _failed(self) -> ProcessNode | None:
        return next((node for node in self._processes if node.failure), None)

    def _not_booted(self) -> TargetError:
        failed = self._failed()
        if failed is not None:
            return TargetError(
                f"process {failed.name!r} of {self.target.name}:{self.build} does not start:"
                f" {failed.failure}. Run it by hand against real stores to see more."
            )
        late = ", ".join(repr(node.name) for node in self._processes if not node.is_ready)
        return TargetError(
            f"process {late or 'traffic at start-up'} of {self.target.name}:{self.build} was not ready after"
            f" {BOOT_US // 1_000_000} s of virtual time; its start-up waits for something that never comes."
        )

    async def drain(self) -> None:
        await self._until_quiet(lambda: True, DRAIN_US)

    async def settle(self, is_settled: Callable[[], bool], limit_us: int) -> None:
        self._driver.limit_us += limit_us
        await self._until_quiet(is_settled, limit_us)

    async def _until_quiet(self, also: Callable[[], bool], limit_us: int) -> None:
        """Waits until nothing was on its way for `QUIET_US`, seen at every look, and `also` holds."""
        give_up_us = self._agenda.now_us + limit_us
        quiet_us = 0

        def is_over() -> bool:
            nonlocal quiet_us
            quiet_us = quiet_us + LOOK_US if self._is_quiet() else 0
            return quiet_us >= QUIET_US or self._agenda.now_us >= give_up_us

        while self._agenda.now_us < give_up_us:
            await self._look(is_over, LOOK_US)
            if quiet_us >= QUIET_US and also():
                return

    async def _look(self, is_over: Callable[[], bool], every_us: int) -> None:
        """Looks every so often until it is over; trio sleeps meanwhile, as waking it costs far more than a look."""
        over = trio.Event()

        def look() -> None:
            if is_over():
                self._wake(over)
            else:
                self._agenda.call_later(every_us, look)

        self._agenda.call_later(every_us, look)
        await over.wait()

    def _is_quiet(self) -> bool:
        return not self.network.in_flight and all(service.is_idle() for service in self.services.values())

    def heal(self) -> None:
        self.network.record("healed", "world", "")
        self._injector.heal()
        while self.network.give_up_holding():
            pass
        for dependency in self.target.dependencies:
            if hasattr(self.services[dependency.name], "heal"):
                self.services[dependency.name].heal()

    @property
    def state(self) -> SimState:
        return self._state

    def row_changes(self) -> list[RowChange]:
        """Committed row changes so far, in the order of their commits; times since the start of the run."""
        changes = self.database.row_history() if self.database is not None else []
        return [replace(change, at_us=change.at_us - START_US) for change in changes]

    def report(self, run: Run, detail: bool) -> None:
        run.digest = self._history.digest
        run.steps = self.network.steps
        run.virtual_us = self._agenda.elapsed_us
        run.deliveries = self._history.deliveries[self._boot_deliveries :]
        run.hits = self._hits()
        run.enforced = self._order.enforced
        run.infeasible = sorted(self._order.infeasible)
        if detail:
            run.events = self._history.events
            run.rows = self.row_changes()
            run.exports = {name: service.export() for name, service in self.services.items()}
            run.contents = {
                name: data.decode("utf-8", "replace") for name, data in (self.network.contents or {}).items()
            }

    def _hits(self) -> list[bool]:
        hits = list(self._injector.hits)
        for index, fault in enumerate(self.plan.faults):
            if any(
                service.was_hit(fault) for service in self.services.values() if hasattr(service, "was_hit")
            ):
                hits[index] = True
        return hits


_ENVIRON = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nowhere",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PGSSLMODE": "disable",
}
"""What every process finds in its environment beside the target's own variables."""


def _filled(text: str, urls: Mapping[str, str]) -> str:
    if "{" in text:
        for name, url in urls.items():
            text = text.replace("{" + name + "}", url)
    return text
