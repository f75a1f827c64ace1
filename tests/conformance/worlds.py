"""One body for both worlds: strike one fault on one link, and tell what the caller saw and whether it was applied.

Run as ``python -m tests.conformance.worlds sim`` it prints the observations of the simulation as JSON: the
simulation forks, so it wants a process without the threads of the live world.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any, Protocol

from harness.fault import Fault, fault
from harness.plan import Plan
from harness.run import Run
from harness.scenario import Scenario
from harness.target import Process, Target
from harness.world import World

SECOND_US = 1_000_000
SHORT_US, LONG_US = 400_000, 2_000_000
"""Shorter and longer than the caller's patience of a second."""
PATIENCE_US = 1_000_000
MARGIN_US = 300_000

LINKS = {
    "http": ("caller>callee", "POST /apply"),
    "postgres": ("caller>postgres", "INSERT marks"),
    "redis": ("caller>redis", "INCRBY marks"),
}
NODES = {"http": "callee", "postgres": "postgres", "redis": "redis"}

TARGET = Target(
    "probes",
    [
        Process("caller", asgi="tests.conformance.probes:caller"),
        Process("callee", asgi="tests.conformance.probes:callee"),
    ],
    postgres="create table marks (at timestamptz not null default now());",
    redis=True,
    env={"CALLEE": "{callee}", "POSTGRES": "{postgres}", "REDIS": "{redis}"},
    entry="caller",
)


@dataclass(frozen=True)
class Case:
    """A fault on the link of a protocol, or none."""

    protocol: str
    fault: Fault | None

    @property
    def name(self) -> str:
        return f"{self.protocol}: {self.fault.describe() if self.fault else 'no fault'}"


def cases() -> list[Case]:
    """Every fault that a link, node or store of each protocol takes."""
    found = []
    for protocol, (link, kind) in LINKS.items():
        request = f"{link} {kind}#1"
        reply, node = f"{request}.reply", NODES[protocol]
        a, b = link.split(">")
        faults: list[Fault | None] = [
            None,
            fault("lost_request", request),
            fault("lost_reply", reply),
            fault("late_request", request, delay_us=SHORT_US),
            fault("late_request", request, delay_us=LONG_US),
            fault("late_reply", reply, delay_us=SHORT_US),
            fault("late_reply", reply, delay_us=LONG_US),
            fault("hang", request),
            fault("hang", reply),
            fault("slow", request, duration_us=SHORT_US),
            fault("slow", reply, duration_us=SHORT_US),
            fault("refused", request, duration_us=SHORT_US),
            fault("reset", request),
            fault("reset", reply),
            fault("partial", request),
            fault("partial", reply),
            fault("partition", request, a=a, b=b, duration_us=SHORT_US),
            fault("latency", request, link=link, delay_us=SHORT_US // 2),
            fault("bandwidth", request, link=link, bytes_per_second=1_000),
            fault("pause", request, node=node, duration_us=SHORT_US),
            fault("crash", request, node=node, duration_us=SHORT_US),
        ]
        if protocol == "http":
            faults += [fault("duplicate", request), fault("duplicate", request, delay_us=SHORT_US)]
        else:
            faults.append(fault("down", request, node=node, duration_us=SHORT_US))
        if protocol == "redis":
            faults += [fault("evict", request, keys="marks"), fault("flush", request)]
        found += [Case(protocol, each) for each in faults]
    return found


@dataclass(frozen=True)
class Observation:
    """What the caller saw (a value or the class of an error), after how long, and how often it was applied."""

    result: Any
    took_ms: int
    applied: int
    hit: bool


class Runner(Protocol):
    def run(self, scenario: Scenario, plan: Plan, *, detail: bool = False) -> Run: ...


def observe(runner: Runner, case: Case) -> Observation:
    """Runs the case once in the world of this runner."""
    seen: dict[str, Any] = {}

    async def probe(world: World) -> None:
        customer = world.client("customer")
        await customer.post("/warm")
        seen.update((await customer.post(f"/probe/{case.protocol}")).body)
        await world.sleep_us(_remaining_us(case.fault))
        if case.protocol == "http":
            seen["applied"] = await _applied_by_callee(world)
        elif case.protocol == "postgres":
            seen["applied"] = world.state.sql("select count(*) from marks")
        else:
            seen["applied"] = int(world.state.keys().get("marks", {}).get("value", 0))

    scenario = Scenario(probe, TARGET, name="probe")
    plan = Plan(1, faults=(case.fault,) if case.fault else ())
    run = runner.run(scenario, plan)
    if run.error:
        raise AssertionError(f"{case.name}: {run.error}")
    return Observation(seen.get("result"), seen.get("took_ms", -1), seen.get("applied", -1), all(run.hits))


def _remaining_us(struck: Fault | None) -> int:
    """How long after the answer (or the caller's patience) something of the fault may still happen."""
    if struck is None:
        return 0
    longest_us = max(
        [struck.number(name) for name in struck.definition.parameters if name.endswith("_us")], default=0
    )
    return MARGIN_US + (
        max(0, longest_us - PATIENCE_US) if longest_us == LONG_US else min(longest_us, SHORT_US)
    )


async def _applied_by_callee(world: World) -> int:
    """Asks until the callee is there: it may just be starting again."""
    for _ in range(60):
        answer = (await world.client("customer").get("/applied/http")).body
        if isinstance(answer, dict):
            return int(answer["applied"])
        await world.sleep_us(SHORT_US)
    return -1


def _print_simulation() -> None:
    from harness.sim.runner import SimRunner

    runner = SimRunner(TARGET, "default", isolate=False)
    try:
        print(json.dumps({case.name: vars(observe(runner, case)) for case in cases()}))
    finally:
        runner.close()


if __name__ == "__main__":
    assert sys.argv[1:] == ["sim"]
    _print_simulation()
