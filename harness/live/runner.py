"""Runs plans in the live world, as harness.sim.runner does in the simulation: same scenarios, plans and records.

Infrastructure, links and processes stay over runs. They live on one thread with a trio loop of its own; the caller
hands it one run after the other.
"""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import trio

from harness.engine import execute
from harness.errors import HarnessError, PaychaosError
from harness.live.infra import Infrastructure
from harness.live.injector import check_supported
from harness.live.rig import Rig
from harness.live.world import LiveWorld
from harness.plan import Plan
from harness.run import Run
from harness.scenario import Scenario
from harness.target import Target

Job = tuple[Callable[[], Awaitable[Run]], "Future[Run]"]


class LiveRunner:
    """A target's build with everything real, ready to run; `close()` when done.

    fresh: each run starts the target's processes anew, so that nothing in their memory, names or timers is left of the
    run before. False is faster, and right for a target that keeps nothing in memory.
    folder: where logs are kept; a temporary one, removed on close, when it is None.
    Raises InfrastructureError when something it needs is missing, TargetError when the target does not start.
    """

    def __init__(self, target: Target, build: str, *, fresh: bool = True, folder: Path | None = None) -> None:
        target.build(build)
        self.target = target
        self.build = build
        self.fresh = fresh
        self._stack = ExitStack()
        try:
            self._folder = folder or self._temporary_folder()
            self.infrastructure = Infrastructure(
                self._folder, postgres=target.schema is not None, redis=target.redis
            )
            self._stack.callback(self.infrastructure.close)
            self._rig = Rig(target, build, self.infrastructure, self._folder)
            self._loop = _Loop(self._rig)
            self._stack.callback(self._loop.close)
        except BaseException:
            self._stack.close()
            raise

    def _temporary_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="paychaos-live-"))
        # PostgreSQL runs as a user of its own when we are root, and has to reach its data below this folder.
        folder.chmod(0o755)
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def close(self) -> None:
        """Stops every process and server that it started."""
        self._stack.close()

    def run(self, scenario: Scenario, plan: Plan, *, detail: bool = False) -> Run:
        """Executes one plan. Raises UsageError when this world cannot do one of its faults, before it starts."""
        check_supported(plan.faults)
        started_ns = time.perf_counter_ns()
        world = LiveWorld(self._rig, plan, scenario, fresh=self.fresh, detail=detail)
        run = self._loop.call(lambda: execute(world, scenario, self.build, plan, detail))
        run.wall_us = (time.perf_counter_ns() - started_ns) // 1_000
        return run


class _Loop:
    """The thread on which the rig lives. An error of the rig itself (a server that died) ends it, and every call."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._error: BaseException | None = None
        self._stop: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()
        try:
            self._opened.result()
        except BaseException:
            self.close()
            raise

    def call(self, work: Callable[[], Awaitable[Run]]) -> Run:
        if self._error is not None:
            raise self._error
        answer: Future[Run] = Future()
        self._jobs.put((work, answer))
        return answer.result()

    def close(self) -> None:
        """Ends the rig, and a run that is still going on."""
        self._stop()
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        current: list[Future[Any]] = [self._opened]
        try:
            trio.run(self._serve, current)
        except BaseException as error:
            self._error = _innermost(error)
        finally:
            if not current[0].done():
                current[0].set_exception(
                    self._error or HarnessError("the live world ended before its run did.")
                )

    async def _serve(self, current: list[Future[Any]]) -> None:
        try:
            async with trio.open_nursery() as nursery:
                token, scope = trio.lowlevel.current_trio_token(), nursery.cancel_scope
                self._stop = lambda: _cancel_from_outside(token, scope)
                await self._rig.open(nursery)
                self._opened.set_result(None)
                while (
                    job := await trio.to_thread.run_sync(self._jobs.get, abandon_on_cancel=True)
                ) is not None:
                    work, current[0] = job
                    try:
                        current[0].set_result(await work())
                    except Exception as error:
                        # When the rig itself broke, the run was only cancelled: this raises, and the cause is told.
                        await trio.lowlevel.checkpoint_if_cancelled()
                        current[0].set_exception(error)
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                self._rig.close()


def _cancel_from_outside(token: trio.lowlevel.TrioToken, scope: trio.CancelScope) -> None:
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(scope.cancel)


def _innermost(error: BaseException) -> BaseException:
    """trio wraps what its tasks raised; several that met one dead server all say the same."""
    while isinstance(error, BaseExceptionGroup):
        ours = error.subgroup(PaychaosError)
        error = (ours or error).exceptions[0]
    return error
