"""The engine: takes a plan through a world. Safety phase, heal, bounded liveness phase, check.

1. The world boots without faults being due, so that a failure to start is the target's own.
2. The workload runs while the plan's faults strike; safety is checked after every client outcome.
3. The world drains: late callbacks and planned faults get a bounded time.
4. Faults heal, and the world gets a bounded time to settle; what must hold eventually is checked at its end.
"""

import trio

from harness.errors import HarnessError, LimitExceeded, NotSimulated, PaychaosError, UsageError
from harness.invariant import always, eventually
from harness.monitor import Monitor
from harness.plan import Plan
from harness.run import Run, Verdict
from harness.scenario import Scenario
from harness.world import World


async def execute(world: World, scenario: Scenario, build: str, plan: Plan, detail: bool = False) -> Run:
    """Runs one plan. A limit passed, or something not simulated, makes a run with verdict `error`.

    Raises TargetError and UsageError (nobody's plan can help there) and HarnessError (our bug).
    """
    monitor = Monitor(scenario.invariants, world.state)
    error: PaychaosError | None = None
    try:
        async with world.alive():
            await world.boot()
            world.on_outcome = lambda outcome: monitor.check(always)
            await _work(scenario, world)
            await world.drain()
            monitor.check(always)
            world.heal()
            await world.settle(lambda: monitor.holds(eventually), scenario.limits.liveness_us)
            monitor.check(always)
            monitor.check(eventually)
    except (LimitExceeded, NotSimulated) as stopped:
        error = stopped
    except BaseExceptionGroup as group:
        only = _only(group)
        if not isinstance(only, LimitExceeded | NotSimulated):
            raise only from group
        error = only
    run = Run(scenario.name, build, plan, _verdict(monitor, error))
    run.violations = monitor.violations
    run.invariants = monitor.verdicts
    run.outcomes = world.outcomes
    run.error = str(error) if error else None
    world.report(run, detail)
    return run


async def _work(scenario: Scenario, world: World) -> None:
    try:
        await scenario.workload(world)
    except (PaychaosError, trio.Cancelled):
        raise
    except Exception as error:
        raise UsageError(
            f"the workload of scenario {scenario.name!r} raised {_only(error)!r}; a workload drives the target and"
            " leaves judging to invariants. Mend the workload."
        ) from error


def _verdict(monitor: Monitor, error: PaychaosError | None) -> Verdict:
    if error is not None:
        return "error"
    if monitor.violations:
        return "fail"
    return "pass" if "held" in monitor.verdicts.values() else "inconclusive"


def _only(error: BaseException) -> BaseException:
    """trio wraps what a task raised; the one error inside is what we mean."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return (
        error
        if not isinstance(error, BaseExceptionGroup)
        else HarnessError(f"several errors at once: {error!r}")
    )
