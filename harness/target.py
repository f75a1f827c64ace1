"""Targets: the system under test, its processes, what they need, and its builds.

In `env`, ``{postgres}``, ``{redis}``, ``{NAME}`` of a process or dependency stand for the URL of our link to it.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError, did_you_mean, unknown_name
from harness.fault import FaultKind, register


@dataclass(frozen=True)
class Process:
    """One kind of process of a target: exactly one of `asgi` and `main`.

    asgi: ``package.module:app``, an ASGI application. main: ``package.module:function``, an async function (or a
    function that calls `asyncio.run`). instances: how many run side by side; an asgi process with several stands
    behind a load balancer. private: library modules with mutable state of their own (module-level clients), which
    each instance imports afresh, as it would in a process of its own; the target's own modules always are.
    """

    name: str
    asgi: str | None = None
    main: str | None = None
    instances: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    private: Sequence[str] = ()

    def __post_init__(self) -> None:
        if (self.asgi is None) == (self.main is None):
            raise UsageError(
                f"process {self.name!r} needs exactly one of asgi='module:app' and main='module:function'."
            )
        if ":" not in self.entry:
            raise UsageError(
                f"process {self.name!r} has {self.entry!r}; an entry reads 'package.module:name'."
            )
        if not 1 <= self.instances <= 16:
            raise UsageError(f"process {self.name!r} has instances={self.instances}; 1 to 16 are supported.")

    @property
    def entry(self) -> str:
        return self.asgi or self.main or ""

    @property
    def nodes(self) -> list[str]:
        """The node names of the instances: the name itself when there is one."""
        if self.instances == 1:
            return [self.name]
        return [f"{self.name}-{number}" for number in range(1, self.instances + 1)]


@dataclass(frozen=True)
class Dependency:
    """A service of ours on the network that the target calls (a payment provider).

    service: makes a fresh `harness.sim.service.Service` for one run, given the Host. faults: the kinds it can be
    told to misbehave with, beyond those of links; they reach its `behave(fault)`.
    callback_kind: the JSON field that names its callbacks, so that they read ``provider>api payment.succeeded#1``.
    """

    name: str
    service: Callable[..., Any]
    faults: Sequence[FaultKind] = ()
    callback_kind: str | None = None

    def __post_init__(self) -> None:
        register(self.faults)


@dataclass(frozen=True)
class Build:
    """One concrete version of a target: processes and environment that replace or add to the target's."""

    name: str
    meaning: str
    processes: Sequence[Process] | None = None
    env: Mapping[str, str] = field(default_factory=dict)


class Target:
    """The system under test.

    postgres: schema file (relative to the file that makes the Target) or SQL text, or None for no database.
    redis: whether it uses Redis. entry: the process that customers talk to (the first asgi process by default).
    """

    def __init__(
        self,
        name: str,
        processes: Sequence[Process],
        *,
        postgres: str | None = None,
        redis: bool = False,
        env: Mapping[str, str] | None = None,
        dependencies: Sequence[Dependency] = (),
        builds: Sequence[Build] = (),
        entry: str | None = None,
    ) -> None:
        self.name = name
        self.folder = Path(inspect.stack()[1].filename).resolve().parent
        self.processes = tuple(processes)
        self.redis = redis
        self.env = dict(env or {})
        self.dependencies = tuple(dependencies)
        self.builds = {build.name: build for build in builds} or {
            "default": Build("default", "the service as it is")
        }
        self.schema = self._read_schema(postgres)
        self._entry = entry
        self._check_modules(self.processes)
        self._check_places(self.env)
        self.scenarios: list[Any] = []
        """The scenarios that were written for this target (harness.scenario.Scenario), in order."""

    def _read_schema(self, postgres: str | None) -> str | None:
        if postgres is None or "\n" in postgres or ";" in postgres:
            return postgres
        path = self.folder / postgres
        if not path.is_file():
            there = [file.name for file in path.parent.glob("*.sql")]
            raise UsageError(
                f"target {self.name!r} names the schema {postgres!r}; there is no file {path}."
                f"{did_you_mean(path.name, there)}"
            )
        return path.read_text()

    def _check_modules(self, processes: Sequence[Process]) -> None:
        """A module that is plainly not there is told now, with its place; nothing is imported for it."""
        for process in processes:
            name = process.entry.partition(":")[0]
            path = self.folder.joinpath(*name.split("."))
            if (self.folder / name.split(".")[0]).is_dir() and path.parent.is_dir():
                there = [file.stem for file in path.parent.iterdir() if file.suffix == ".py" or file.is_dir()]
                if path.name not in there:
                    raise UsageError(
                        f"process {process.name!r} names the module {name!r}; there is no file {path}.py."
                        f"{did_you_mean(path.name, there)}"
                    )

    def _check_places(self, env: Mapping[str, str]) -> None:
        """A misspelt ``{postgres}`` would reach the service as it stands."""
        known = ["postgres", "postgres_address", "redis"]
        known += [process.name for process in self.processes]
        known += [dependency.name for dependency in self.dependencies]
        for name, text in env.items():
            for word in re.findall(r"\{(\w+)\}", text):
                if word not in known and (hint := did_you_mean(word, known)):
                    raise UsageError(
                        f"target {self.name!r} has {name}={text!r}; {word!r} stands for nothing.{hint}"
                    )

    def build(self, name: str) -> Build:
        if name not in self.builds:
            raise unknown_name(
                "build",
                f"{self.name}:{name}",
                [f"{self.name}:{b}" for b in self.builds],
                "paychaos list builds",
            )
        return self.builds[name]

    def processes_of(self, build: str) -> tuple[Process, ...]:
        chosen = self.build(build).processes
        return self.processes if chosen is None else tuple(chosen)

    def env_of(self, build: str) -> dict[str, str]:
        return {**self.env, **self.build(build).env}

    def entry_of(self, build: str) -> str:
        """The name of the process that customers talk to."""
        if self._entry is not None:
            return self._entry
        for process in self.processes_of(build):
            if process.asgi:
                return process.name
        raise UsageError(
            f"target {self.name!r} has no asgi process; name the one that customers talk to: entry='…'."
        )
