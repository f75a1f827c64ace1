"""What a live build stands in over many runs: its stores, links and processes. A run borrows it, cleaned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random

import trio

from harness.errors import UsageError
from harness.fault import Fault
from harness.live.commands import command_for, fill, places_in
from harness.live.database import LiveDatabase
from harness.live.gate import Gate
from harness.live.host import ServiceHost
from harness.live.infra import Infrastructure
from harness.live.injector import LiveInjector, Unit
from harness.live.keystore import LiveKeyStore
from harness.live.link import Link, Upstreams
from harness.live.ports import HOST, free_port
from harness.live.traffic import Traffic
from harness.live.units import ProcessUnit, ServiceUnit, dependency_unit, redis_unit
from harness.names import MessageName
from harness.plan import Plan
from harness.program import is_served, ready_path
from harness.seed import child_random
from harness.target import Process, Target

SPOKEN_S = 5.0
LOOK_S = 0.01
SILENT_LOOKS = 5
"""A start-up is over when nothing was under way at so many looks in a row."""


class Rig:
    """Opened once for a build. `units` are the nodes that faults strike, by name."""

    def __init__(self, target: Target, build: str, infrastructure: Infrastructure, folder: Path) -> None:
        self.target = target
        self.build = build
        self.folder = folder
        self.infrastructure = infrastructure
        self.gate: Gate
        self.database: LiveDatabase | None = None
        self.redis: LiveKeyStore | None = None
        self.hosts: dict[str, ServiceHost] = {}
        self.units: dict[str, Unit] = {}
        self.processes: list[ProcessUnit] = []
        self._stack = ExitStack()
        self._boot_names: list[MessageName] = []
        self._instances: dict[str, int] = {}

    # Opening

    async def open(self, nursery: trio.Nursery) -> None:
        """Makes the database, the links and the commands; starts nothing of the target yet."""
        infrastructure = self.infrastructure
        self.gate = Gate(infrastructure.toxiproxy, nursery, Traffic(Plan(0)), LiveInjector((), {}, {}))
        self.gate.injector.gate = self.gate
        self._stack.callback(self.gate.close)
        if infrastructure.postgres is not None and self.target.schema is not None:
            name = f"paychaos_{os.getpid()}_{Random().getrandbits(24):06x}"
            self.database = LiveDatabase(infrastructure.postgres.address, name, self.target.schema)
            self._stack.callback(self.database.close)
            self.units["postgres"] = ServiceUnit(self.gate, "postgres")
        if infrastructure.redis is not None:
            self.redis = LiveKeyStore(infrastructure.redis.address)
            self._stack.callback(self.redis.close)
            self.units["redis"] = redis_unit(self.gate, self.redis)
        for dependency in self.target.dependencies:
            host = ServiceHost(dependency.name, self.gate, dependency.callback_kind)
            host.renew(dependency.service, Random(0))
            await host.listen()
            self.hosts[dependency.name] = host
            self.units[dependency.name] = dependency_unit(self.gate, host)

    def _arrange(self, instances: Mapping[str, int]) -> None:
        """Puts as many instances of each process in place as the next scenario wants; nothing when they are."""
        if dict(instances) == self._instances and self.processes:
            return
        for unit in self.processes:
            unit.stop()
            self.units.pop(unit.node)
            self.gate.forget(unit.node)
        self.processes, self._instances, self._boot_names = [], dict(instances), []
        self._make_processes()

    def _processes(self) -> list[Process]:
        """Those of the build, in the numbers that the scenario at hand wants."""
        return [
            replace(process, instances=self._instances.get(process.name, process.instances))
            for process in self.target.processes_of(self.build)
        ]

    def _make_processes(self) -> None:
        """Ports first: the environment of a process names links to others that do not run yet."""
        processes = self._processes()
        ports = {node: free_port() for process in processes if is_served(process) for node in process.nodes}
        for process in processes:
            siblings = []
            for node in process.nodes:
                env = self._environment(process, node)
                port = ports.get(node, 0)
                command = command_for(
                    process, node, port, env, self.target.folder, self.folder / f"{node}.log"
                )
                siblings.append(
                    ProcessUnit(self.gate, node, process.name, command, port, ready_path(process))
                )
            for unit in siblings:
                unit.siblings = siblings
                self.units[unit.node] = unit
            self.processes += siblings
        for dependency in self.target.dependencies:
            for process in processes:
                if is_served(process):
                    self.link(dependency.name, dependency.name, process.name)

    def _environment(self, process: Process, node: str) -> dict[str, str]:
        texts = {**self.target.env_of(self.build), **process.env}
        urls: dict[str, str] = {}
        for text in texts.values():
            for place in places_in(text):
                urls[place] = urls.get(place) or self._url(process, node, place)
        return {name: fill(text, urls.get) for name, text in texts.items()}

    def _url(self, process: Process, node: str, place: str) -> str:
        """The URL of our link to what a placeholder names; also NAME_address, NAME_host and NAME_port."""
        service, _, part = (
            place.rpartition("_") if place.endswith(("_address", "_host", "_port")) else (place, "", "")
        )
        if not self._knows(service):
            return ""
        link = self.link(node, process.name, service)
        place_of = {"host": HOST, "port": str(link.port), "address": self._address(service, link)}
        return place_of.get(part) or f"{_SCHEMES.get(service, 'http')}://{self._address(service, link)}"

    def _address(self, service: str, link: Link) -> str:
        if service == "postgres" and self.database is not None and self.infrastructure.postgres is not None:
            server = self.infrastructure.postgres.address
            password = f":{server.password}" if server.password else ""
            return f"{server.user or 'postgres'}{password}@{HOST}:{link.port}/{self.database.name}"
        if service == "redis" and self.infrastructure.redis is not None:
            return f"{HOST}:{link.port}/{self.infrastructure.redis.address.path or 0}"
        return f"{HOST}:{link.port}"

    def _knows(self, service: str) -> bool:
        names = {process.name for process in self.target.processes_of(self.build)}
        return service in self.units or service in names

    # Links

    def link(self, source: str, source_service: str, destination: str) -> Link:
        """The link from a node to a service, open unless the service is down."""
        protocol = {"postgres": "postgres", "redis": "resp"}.get(destination, self._protocol(destination))
        kinds = {dependency.name: dependency.callback_kind for dependency in self.target.dependencies}
        return self.gate.link(
            source, source_service, destination, protocol, self._upstreams(destination), kinds.get(source)
        )

    def _protocol(self, service: str) -> str:
        for process in self.target.processes_of(self.build):
            if process.name == service:
                return "http" if is_served(process) else "plain"
        return "http"

    def _upstreams(self, service: str) -> Upstreams:
        stores = {"postgres": self.infrastructure.postgres, "redis": self.infrastructure.redis}
        if server := stores.get(service):
            return lambda: [f"{server.address.host}:{server.address.port}"]
        if service in self.hosts:
            return lambda: [self.hosts[service].address]
        return lambda: [unit.address for unit in self.processes if unit.service == service and unit.is_up]

    # Between runs

    async def prepare(
        self, plan: Plan, instances: Mapping[str, int], *, fresh: bool
    ) -> tuple[Traffic, LiveInjector]:
        """Cleans everything, starts what does not run, and arms the gate for one run.

        fresh: every process starts anew, as in the simulation; else those that run go on.
        """
        traffic, faults = Traffic(plan), plan.faults
        self._arrange(instances)
        if fresh:
            for unit in self.processes:
                unit.stop()
        self._renew(plan, faults)
        stores = {"redis": self.redis} if self.redis else {}
        injector = LiveInjector(faults, self.units, stores)
        injector.gate = self.gate
        self.gate.traffic = traffic
        self.gate.turns.clear()
        await self._start_processes()
        if fresh or not self._boot_names:
            self._boot_names = [
                delivery.name for delivery in traffic.history.deliveries if not delivery.name.is_reply
            ]
        traffic.start([] if fresh else self._boot_names)
        self.gate.injector = injector
        return traffic, injector

    def _renew(self, plan: Plan, faults: tuple[Fault, ...]) -> None:
        if self.database is not None:
            self.database.reset()
        if self.redis is not None:
            self.redis.reset()
        for dependency in self.target.dependencies:
            service = self.hosts[dependency.name].renew(
                dependency.service, child_random(plan.seed, "node", dependency.name)
            )
            kinds = {kind.name for kind in dependency.faults}
            for fault in faults:
                if fault.kind in kinds:
                    service.behave(fault)

    async def _start_processes(self) -> None:
        """Those that serve first, so that a worker's timers begin as close to the run's as they can."""
        for serves in (True, False):
            async with trio.open_nursery() as nursery:
                for unit in self.processes:
                    if bool(unit.port) == serves and not unit.is_up:
                        nursery.start_soon(unit.start)
        await self._until_spoken()

    async def _until_spoken(self) -> None:
        """Until what the processes say at their start has been answered."""
        with trio.move_on_after(SPOKEN_S):
            silent = 0
            while silent < SILENT_LOOKS:
                await trio.sleep(LOOK_S)
                silent = 0 if self.gate.is_busy() else silent + 1

    def customer_service(self) -> str:
        entry = self.target.entry_of(self.build)
        if not self._knows(entry):
            raise UsageError(
                f"target {self.target.name!r} has the entry {entry!r}, which is none of its processes."
            )
        return entry

    def close(self) -> None:
        for unit in self.processes:
            unit.stop()
        self._stack.close()


_SCHEMES = {"postgres": "postgresql", "redis": "redis"}
