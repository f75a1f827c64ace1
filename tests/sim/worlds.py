"""Small worlds for tests of the simulation: one process per function, nothing but asyncio."""

from collections.abc import Awaitable, Callable
from typing import Any

from harness.plan import Plan
from harness.run import Run
from harness.scenario import Limits, Scenario
from harness.sim.runner import SimRunner
from harness.target import Process, Target
from harness.world import World


async def nothing(world: World) -> None:
    """A workload that leaves everything to the processes."""


def run_processes(
    *entries: str,
    plan: Plan | None = None,
    workload: Callable[[World], Awaitable[None]] = nothing,
    limits: Limits | None = None,
    env: dict[str, str] | None = None,
) -> Run:
    """Runs ``name=module:function`` mains (or ``name=asgi:module:app``) as one target, in a child, with detail."""
    target = Target(
        "small", [_process(entry) for entry in entries], env=env, entry=entries[0].partition("=")[0]
    )
    runner = SimRunner(target, "default")
    try:
        return runner.run(Scenario(workload, target, limits=limits), plan or Plan(1), detail=True)
    finally:
        runner.close()


def _process(entry: str) -> Process:
    name, _, where = entry.partition("=")
    if where.startswith("asgi:"):
        return Process(name, asgi=where.removeprefix("asgi:"))
    return Process(name, main=where)


def events(run: Run, kind: str) -> list[Any]:
    return [event for event in run.events if event.kind == kind]
