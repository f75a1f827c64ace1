"""Runs plans in the simulated world: loads a target's build once, then forks a child for each run.

A child starts from the same memory every time, so no run can depend on the runs before it, and a target that
blocks its loop for ever is ended from outside. `isolate=False` runs in this process instead (for measuring).
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import sys
import time
import warnings
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from harness.engine import execute
from harness.errors import HarnessError, LimitExceeded, PaychaosError, TargetError, UsageError
from harness.plan import Plan
from harness.program import refuse_programs
from harness.run import Run
from harness.scenario import Limits, Scenario
from harness.seed import child_random
from harness.sim import entropy, modules
from harness.sim.driver import make_trio_deterministic
from harness.sim.modules import ModuleSpace, space_for
from harness.sim.refusals import refusals
from harness.sim.threads import inline_threads
from harness.sim.world import SimWorld
from harness.target import Process, Target

if TYPE_CHECKING:
    from harness.sim.postgres import Database


REHEARSALS = 3

Answer = tuple[str, Any, list[str], dict[bytes, int]]
"""What a child sends: "run" or "error", the Run or the error, the modules that it imported, and how many database
sessions it used of each kind. The last two are made ready for the next child."""


class SimRunner:
    """A target's build, ready to run. Wants a process of its own without other threads; `close()` when done.

    Raises TargetError when the target cannot be imported, InfrastructureError when PostgreSQL does not start.
    """

    def __init__(self, target: Target, build: str, *, isolate: bool = True) -> None:
        self.target = target
        self.build = build
        self._isolate = isolate
        self._stack = ExitStack()
        self._spares: dict[str, list[tuple[ModuleSpace, Any]]] = {}
        self._imported: set[str] = set()
        self._database: Database | None = None
        processes = target.processes_of(build)
        refuse_programs(processes)
        self._roots = sorted(
            {p.entry.partition(":")[0].split(".")[0] for p in processes}
            | {name for p in processes for name in p.private}
        )
        try:
            self._stack.enter_context(entropy.virtual_surroundings())
            self._stack.enter_context(inline_threads())
            self._stack.enter_context(refusals())
            self._stack.callback(modules.activate, None)
            if str(target.folder) not in sys.path:
                sys.path.insert(0, str(target.folder))
            self._warm(processes)
            if target.schema is not None:
                from harness.sim.postgres import Database, PostgresCluster

                cluster = self._stack.enter_context(PostgresCluster())
                self._database = Database(cluster, target.schema)
            if isolate and target.scenarios:
                self._rehearse(min(target.scenarios, key=lambda scenario: scenario.name))
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        self._stack.close()

    def _warm(self, processes: tuple[Process, ...]) -> None:
        """Imports the target once per instance, and once more for a restart."""
        for process in processes:
            wanted = process.instances + 1 if self._isolate else 1
            self._spares[process.name] = [self._load(process) for _ in range(wanted)]

    def _rehearse(self, scenario: Scenario) -> None:
        """A few runs in this process: children then start with code that is imported and warmed up.

        It is the same scenario and plan whatever is run later, so that what libraries remember of it (counters,
        caches) is the same for every run of this target.
        """
        inputs: dict[str, Any] = {}
        if scenario.inputs is not None:
            from harness.search.strategies import simplest_inputs

            inputs = simplest_inputs(scenario)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the target left unfinished is collected here
            for _ in range(REHEARSALS):
                with suppress(UsageError, LimitExceeded):
                    self._inline(scenario, Plan(0, inputs), False, fresh=True)
            gc.collect()

    def _load(self, process: Process) -> tuple[ModuleSpace, Any]:
        space = space_for(self._roots)
        guest = _Importing(process, self.target.env_of(self.build))
        previous, entropy.current = entropy.current, guest
        try:
            return space, space.load(process.entry)
        finally:
            entropy.current = previous
            modules.activate(None)

    def _space(self, process: Process) -> tuple[ModuleSpace, Any]:
        """Loaded modules for one start of a process; each is used once."""
        spares = self._spares[process.name]
        return spares.pop() if spares else self._load(process)

    # Running

    def run(self, scenario: Scenario, plan: Plan, *, detail: bool = False) -> Run:
        """Executes one plan. A run that had to be ended has verdict `error`.

        Raises TargetError, UsageError and InfrastructureError as the run did, HarnessError for a bug of ours.
        """
        started_ns = time.perf_counter_ns()
        run = self._forked(scenario, plan, detail) if self._isolate else self._inline(scenario, plan, detail)
        run.wall_us = (time.perf_counter_ns() - started_ns) // 1_000
        return run

    def _inline(self, scenario: Scenario, plan: Plan, detail: bool, fresh: bool = False) -> Run:
        """Runs in this process. `fresh`: with modules imported for it, so that those made ready stay so."""
        if self._database is not None:
            self._database.reset()
        clock = trio.testing.MockClock()
        world = SimWorld(
            self.target, self.build, plan, scenario,
            database=self._database, spaces=self._load if fresh else self._space, clock=clock, detail=detail,
        )  # fmt: skip
        make_trio_deterministic(plan.seed)
        gc.disable()  # a collection in the middle would run destructors of the target at a moment of its own
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a caller's "warnings are errors" must not change the target
                return trio.run(execute, world, scenario, self.build, plan, detail, clock=clock)
        finally:
            if fresh or not self._isolate:
                world.discard()
            gc.enable()

    def _forked(self, scenario: Scenario, plan: Plan, detail: bool) -> Run:
        read_end, write_end = os.pipe()
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            self._be_child(scenario, plan, detail, write_end)
        os.close(write_end)
        try:
            answer = self._collect(pid, read_end, scenario.limits)
        finally:
            os.close(read_end)
        if answer is None:
            if self._database is not None:
                self._database.recover()
            return self._ended_run(scenario, plan)
        kind, value, fresh, sessions = answer
        self._import_ahead(fresh)
        if self._database is not None:
            self._database.warm(sessions)
        if kind == "error":
            raise value
        assert isinstance(value, Run)
        return value

    def _be_child(self, scenario: Scenario, plan: Plan, detail: bool, write_end: int) -> None:
        """Never returns. Nothing of this process's memory reaches the parent but the answer."""
        status = 1
        try:
            known = set(sys.modules)
            answer: tuple[str, Any]
            try:
                run = self._inline(scenario, plan, detail)
                answer = ("run", run)
            except PaychaosError as error:
                answer = ("error", error)
            except BaseException as error:
                import traceback

                text = "".join(traceback.format_exception(error))
                answer = ("error", HarnessError(f"this is our bug:\n{text}"))
            fresh = [name for name in sys.modules if name not in known and not self._is_private(name)]
            sessions = self._database.demand() if self._database is not None else {}
            _write_all(write_end, pickle.dumps((*answer, fresh, sessions)))
            status = 0
        finally:
            os._exit(status)

    def _is_private(self, name: str) -> bool:
        return name.split(".")[0] in self._roots or name.startswith("__")

    def _import_ahead(self, names: list[str]) -> None:
        """What a child had to import is imported here too, so that later children find it."""
        for name in names:
            if name not in self._imported:
                self._imported.add(name)
                try:
                    __import__(name)
                except Exception:
                    continue

    def _collect(self, pid: int, read_end: int, limits: Limits) -> Answer | None:
        """The child's answer, or None when it had to be killed for its wall time or died."""
        deadline_ns = time.perf_counter_ns() + limits.wall_us * 1_000
        chunks: list[bytes] = []
        try:
            while True:
                left_s = (deadline_ns - time.perf_counter_ns()) / 1e9
                if left_s <= 0 or not select.select([read_end], [], [], left_s)[0]:
                    return None
                chunk = os.read(read_end, 1 << 20)
                if not chunk:
                    break
                chunks.append(chunk)
        finally:
            if not chunks:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        if not chunks:
            return None
        answer: Answer = pickle.loads(b"".join(chunks))
        return answer

    def _ended_run(self, scenario: Scenario, plan: Plan) -> Run:
        run = Run(scenario.name, self.build, plan, "error")
        run.error = str(
            LimitExceeded(
                f"the run was still going after {scenario.limits.wall_us / 1e6:.0f} s of real time and was ended;"
                " a process of the target blocks its loop (look for a loop or a call that never awaits)"
            )
        )
        run.invariants = {invariant.name: "not_exercised" for invariant in scenario.invariants}
        run.hits = [False] * len(plan.faults)
        run.enforced = [False] * len(plan.constraints)
        return run


class _Importing:
    """The surroundings of a process while its modules are imported, before any run exists."""

    skew_us = 0

    def __init__(self, process: Process, environ: dict[str, str]) -> None:
        self.name = process.name
        self.random = child_random(0, "import", process.name)
        self.environ = {**os.environ, **environ, **process.env}

    def refuse(self, what: str, remedy: str) -> PaychaosError:
        return TargetError(f"importing process {self.name!r} calls {what}. {remedy}")


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
