"""A worker process whose runs take no time: the real protocol around a search that acts as its scenario's
name says.

Environment: FAKE_MARKS names a folder; `started-PID` and `closed-PID` appear there with the runner's life.
FAKE_CANARY=dead makes the canary pass. FAKE_START=fails makes every runner but the canary's fail to start.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path

from harness.boundary import signature_of
from harness.campaign.canary import canary
from harness.campaign.job import SearchJob
from harness.campaign.worker import Runner, serve_stdin
from harness.errors import TargetError, UsageError
from harness.events import (
    Coverage,
    Emit,
    FailureFound,
    FailureShrunk,
    ScenarioFinished,
    Tally,
    run_finished,
)
from harness.fault import fault
from harness.history import Delivery, Event
from harness.names import parse_name
from harness.plan import Plan
from harness.reproducer import Reproducer
from harness.run import Run, Violation
from harness.scenario import Scenario
from harness.seed import run_seed
from harness.target import Target

LOST = fault("lost_reply", "ana>api POST /pay#1.reply")
VIOLATION = Violation("paid_once", "o-1", "Order o-1 was paid twice: 42.00 EUR and 42.00 EUR.", 3_000_000)


class FakeRunner:
    """Fails on a plan that loses an answer, unless the build is the new one."""

    def __init__(self, target: Target, build: str) -> None:
        if os.environ.get("FAKE_START") == "fails" and target.name != canary.target.name:
            raise TargetError("the target cannot be imported: 'shop:app' raised ValueError: no DATABASE_URL.")
        print("the target prints this", flush=True)
        self.build = build
        self._runs = count()
        self._mark("started")

    def run(self, scenario: Scenario, plan: Plan, *, detail: bool = False) -> Run:
        number = next(self._runs)
        is_hit = bool(plan.faults) and self.build != "new"
        noise = str(number) if scenario.name == "flickers" else ""
        name = parse_name("ana>api POST /pay#1")
        run = Run(scenario.name, self.build, plan, "fail" if is_hit else "pass")
        run.violations = [VIOLATION] if is_hit else []
        run.invariants = {"paid_once": "violated" if is_hit else "held"}
        run.digest = f"d{plan.seed}{noise}"
        run.hits = [True for _ in plan.faults]
        run.deliveries = [Delivery(name, "http", 0, 1_000)]
        run.events = [
            Event(1_000, "delivered", "api", str(name)),
            Event(2_000, "noted", "api", f"noise {noise}".strip()),
        ]
        return run

    def close(self) -> None:
        self._mark("closed")

    def _mark(self, word: str) -> None:
        folder = os.environ.get("FAKE_MARKS")
        if folder:
            Path(folder, f"{word}-{os.getpid()}").touch()


def fake_search(runner: Runner, scenario: Scenario, job: SearchJob, emit: Emit) -> None:
    """The events of a search, as the real one emits them."""
    violated = 0
    for number in range(1, 1_000_000 if scenario.name == "stays" else 4):
        is_hit = number == 2 and finds(scenario)
        plan = Plan(run_seed(job.seed, number), faults=(LOST,) if is_hit else ())
        run = runner.run(scenario, plan)
        if scenario.name == "idles":
            run.verdict, run.invariants = "inconclusive", {"paid_once": "not_exercised"}
        emit(run_finished(run, number, "probe"))
        misbehave(scenario)
        if is_hit and run.violations:
            violated += 1
            emit(FailureFound(scenario.name, run.build, number, VIOLATION, plan))
            emit(run_finished(run, number, "shrink", 1))
            emit(shrunk(scenario, job, run, number))
    emit(finished(scenario, run, violated))


def finds(scenario: Scenario) -> bool:
    if scenario is canary:
        return os.environ.get("FAKE_CANARY") != "dead"
    return scenario.name in ("fails", "flickers")


def misbehave(scenario: Scenario) -> None:
    if scenario.name == "dies":
        print("out of memory", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if scenario.name == "breaks":
        raise ZeroDivisionError("1 / 0")
    if scenario.name == "hangs":
        signal.pause()
    if scenario.name == "mistakes":
        raise UsageError("shop_chaos.py:7: AttributeError: 'World' object has no attribute 'pay'.")


def shrunk(scenario: Scenario, job: SearchJob, run: Run, number: int) -> FailureShrunk:
    reproducer = Reproducer(
        target=scenario.target.name,
        build=run.build,
        scenario=scenario.name,
        invariant=VIOLATION.invariant,
        entity=VIOLATION.entity,
        sentence=VIOLATION.sentence,
        plan=run.plan,
        digest=run.digest,
        found_seed=job.seed,
        found_run=number,
        shrunk_from=1,
    )
    reproduced = 1 if scenario.name == "flickers" else 3
    return FailureShrunk(
        reproducer, number, signature_of(scenario.name, "paid_once", run.plan), 1, reproduced, 3
    )


def finished(scenario: Scenario, run: Run, violated: int) -> ScenarioFinished:
    signature = signature_of(scenario.name, VIOLATION.invariant, Plan(1, faults=(LOST,)))
    return ScenarioFinished(
        scenario=scenario.name,
        build=run.build,
        runs=3,
        shrink_runs=violated,
        wall_us=1,
        invariants={"paid_once": Tally(3 - violated, violated, 0)},
        coverage=(Coverage("lost_reply", "ana>api POST /pay.reply", 1, 1),) if violated else (),
        failures={signature: violated} if violated else {},
    )


if __name__ == "__main__":
    sys.exit(serve_stdin(lambda target, build, world: FakeRunner(target, build), fake_search))
