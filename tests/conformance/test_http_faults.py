"""Every fault on an HTTP link: what the caller observes, and whether the callee applied the request."""

from collections.abc import Iterator

import pytest

from harness.fault import Fault, fault
from harness.plan import Plan
from harness.scenario import Scenario
from harness.sim.runner import SimRunner
from harness.target import Process, Target
from harness.world import World

REQUEST = "caller>callee POST /apply#1"
REPLY = REQUEST + ".reply"
SECOND_US = 1_000_000

# fault, what the first call ends with, after how many milliseconds, how often it was applied in the end.
ROWS: list[tuple[Fault | None, object, int, int]] = [
    (None, 1, 3, 1),
    (fault("lost_request", REQUEST), "timeout", 5000, 0),
    (fault("lost_reply", REPLY), "timeout", 5000, 1),
    (fault("late_request", REQUEST, delay_us=8 * SECOND_US), "timeout", 5000, 1),
    (fault("late_reply", REPLY, delay_us=2 * SECOND_US), 1, 2002, 1),
    (fault("late_reply", REPLY, delay_us=8 * SECOND_US), "timeout", 5000, 1),
    (fault("hang", REQUEST), "timeout", 5000, 0),
    (fault("hang", REPLY), "timeout", 5000, 1),
    (fault("slow", REQUEST, duration_us=2 * SECOND_US), 1, 2002, 1),
    (fault("slow", REPLY, duration_us=2 * SECOND_US), 1, 2002, 1),
    (fault("refused", REQUEST), "reset", 2, 0),
    (fault("reset", REQUEST), "reset", 2, 0),
    (fault("reset", REPLY), "reset", 3, 1),
    (fault("partial", REQUEST), "reset", 2, 0),
    (fault("partial", REPLY), "ended", 3, 1),
    (fault("duplicate", REQUEST), 1, 3, 2),
    (fault("duplicate", REQUEST, delay_us=2 * SECOND_US), 1, 3, 2),
    (fault("partition", REQUEST, a="caller", b="callee", duration_us=2 * SECOND_US), 1, 2003, 1),
    (fault("partition", REQUEST, a="caller", b="callee", duration_us=20 * SECOND_US), "timeout", 5000, 1),
    (fault("latency", REQUEST, link="caller>callee", delay_us=SECOND_US), 1, 1003, 1),
    (fault("crash", REQUEST, node="callee"), "reset", 3, 0),
    (fault("crash", REPLY, node="callee"), 1, 3, 0),
    (fault("pause", REQUEST, node="callee", duration_us=2 * SECOND_US), 1, 2003, 1),
]


@pytest.fixture(scope="module")
def runner() -> Iterator[SimRunner]:
    target = Target(
        "conformance",
        [
            Process("caller", asgi="tests.conformance.services:caller"),
            Process("callee", asgi="tests.conformance.services:callee"),
        ],
        env={"CALLEE_HOST": "callee", "CALLEE_PORT": "80"},
        entry="caller",
    )
    made = SimRunner(target, "default")
    yield made
    made.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].describe() if row[0] else "no fault")
def test_what_the_caller_observes(runner: SimRunner, row: tuple[Fault | None, object, int, int]) -> None:
    injected, result, took_ms, applied = row

    async def call(world: World) -> None:
        customer = world.client("customer")
        await customer.post("/call")
        await world.sleep_us(30 * SECOND_US)
        await customer.get("/applied")

    plan = Plan(1, faults=(injected,) if injected else ())
    run = runner.run(Scenario(call, runner.target), plan)
    assert run.error is None
    assert run.hits == [True] * len(plan.faults)
    first, last = (outcome.body for outcome in run.outcomes)
    assert (first["result"], first["took_ms"]) == (result, took_ms)
    assert last["result"] == applied
