"""The search: what it runs, what it finds, what it spends, and that it can be had again."""

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import strategies as st

from harness.errors import TargetError, UsageError
from harness.events import FailureFound, FailureShrunk, RunFinished, ScenarioFinished, Tally
from harness.fault import fault
from harness.plan import Plan
from harness.run import Run
from harness.search import Budget, plan_of_seed, search
from harness.search.known import MAX_CAUSES
from harness.search.shrink import MAX_RUNS
from harness.seed import run_seed
from tests.harness.small_world import (
    Call,
    SmallRunner,
    charge_with_retry,
    deep_race,
    lost_update,
    small_scenario,
    too_many_items,
)

FAULTS = ("lost_reply", "lost_request", "late_reply", "late_request")
SEED = 20261121


def searched(program, runs=200, seed=SEED, scenario=None, runner=None):
    """The runner and the events of a search, by type."""
    runner = runner or SmallRunner(program)
    events = []
    scenario = scenario or small_scenario(faults=FAULTS)
    search(runner, scenario, Budget(runs=runs), seed, events.append, clock_us=lambda: 0)
    return runner, events


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def explored(events):
    return [event for event in of(events, RunFinished) if event.phase != "shrink"]


# What is run


def test_the_first_run_is_a_probe_without_any_fault():
    _, events = searched(charge_with_retry, runs=1)
    (run,) = of(events, RunFinished)
    assert (run.number, run.phase, run.plan) == (1, "probe", Plan(run_seed(SEED, 1)))


def test_hazards_come_next_with_the_seeds_of_their_runs():
    hazard = Plan(0, faults=(fault("lost_reply", "api>provider POST /charges#1.reply"),))
    _, events = searched(charge_with_retry, runs=3, scenario=small_scenario(faults=FAULTS, hazards=[hazard]))
    assert [run.phase for run in explored(events)] == ["probe", "hazard", "sweep"]
    assert explored(events)[1].plan == hazard.with_(seed=run_seed(SEED, 2))
    assert of(events, FailureFound)[0].number == 2


def test_the_sweep_tries_every_boundary_once_before_any_twice():
    def loop(world):
        def thread():
            for _ in range(5):
                yield Call("postgres", "SELECT a", lambda: 1)
                yield Call("postgres", "SELECT b", lambda: 1)

        world.start("api", thread())

    _, events = searched(loop, runs=60, scenario=small_scenario(faults=["lost_reply"]))
    swept = [run.plan.faults[0].at for run in explored(events) if run.phase == "sweep" and run.plan.faults]
    numbers = [int(at.partition("#")[2].removesuffix(".reply")) for at in swept]
    assert len(set(swept)) == len(swept) > 5
    assert numbers == sorted(numbers)
    assert set(swept[:2]) == {"api>postgres SELECT a#1.reply", "api>postgres SELECT b#1.reply"}


def test_every_way_of_exploring_gets_its_turn_and_no_fifo_plan_is_run_twice():
    _, events = searched(deep_race, runs=100)
    phases = Counter(run.phase for run in explored(events))
    assert phases == {"probe": 1, "sweep": 50, "drawn": 25, "order": 24}
    fifo = [run.plan for run in explored(events) if run.plan.policy == "fifo"]
    assert len({(plan.faults, plan.constraints) for plan in fifo}) == len(fifo)


def test_run_numbers_and_seeds_belong_together():
    _, events = searched(lost_update, runs=50)
    runs = explored(events)
    assert [run.number for run in runs] == list(range(1, 51))
    assert [run.plan.seed for run in runs] == [run_seed(SEED, number) for number in range(1, 51)]


def test_a_scenario_that_forbids_constraints_is_never_reordered():
    scenario = small_scenario(faults=FAULTS, constraints=False)
    _, events = searched(lost_update, runs=80, scenario=scenario)
    assert all(run.plan.policy == "fifo" and not run.plan.constraints for run in explored(events))


def test_a_search_ends_early_when_there_is_nothing_new_to_try():
    _, events = searched(charge_with_retry, runs=80, scenario=small_scenario(constraints=False))
    assert len(explored(events)) == 1
    assert of(events, ScenarioFinished)[0].runs == 1


# What is found


def test_a_double_charge_is_found_and_shrunk_to_one_fault():
    _, events = searched(charge_with_retry)
    failures = of(events, FailureShrunk)
    assert [len(failure.reproducer.plan.faults) for failure in failures] == [1] * len(failures)
    assert all(failure.reproducer.plan.constraints == () for failure in failures)
    first = failures[0].reproducer
    assert (first.invariant, first.entity, first.found_seed) == ("duplicate_charge", "o-1", SEED)
    assert (failures[0].reproduced, failures[0].times) == (3, 3)


def test_a_reproducer_holds_a_plan_that_fails_with_its_digest():
    runner, events = searched(charge_with_retry)
    for failure in of(events, FailureShrunk):
        run = runner.run(small_scenario(), failure.reproducer.plan)
        assert run.digest == failure.reproducer.digest
        assert run.violations[0].sentence == failure.reproducer.sentence


def test_each_cause_is_shrunk_once_and_further_hits_are_counted():
    _, events = searched(charge_with_retry, runs=300)
    signatures = [failure.signature for failure in of(events, FailureShrunk)]
    assert len(signatures) == len(set(signatures)) <= MAX_CAUSES
    finished = of(events, ScenarioFinished)[0]
    assert set(finished.failures) == set(signatures)
    assert sum(finished.failures.values()) <= finished.invariants["duplicate_charge"].violated
    assert max(finished.failures.values()) > 1
    assert len(of(events, FailureFound)) == 1


def test_the_search_goes_on_for_other_invariants_after_a_hit():
    def both(world):
        charge_with_retry(world)
        lost_update(world)

    _, events = searched(both, runs=300)
    assert {failure.reproducer.invariant for failure in of(events, FailureShrunk)} == {
        "duplicate_charge",
        "lost_update",
    }
    assert len(of(events, FailureFound)) == 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_race_of_depth_three_is_found_and_shrunk_to_the_two_constraints_that_matter(seed):
    _, events = searched(deep_race, runs=180, seed=seed, scenario=small_scenario())
    failure = of(events, FailureShrunk)[0]
    plan = failure.reproducer.plan
    assert (plan.policy, plan.faults, len(plan.constraints)) == ("fifo", (), 2)
    assert (failure.reproduced, failure.times) == (3, 3)
    assert [effect.verdict for effect in failure.removals] == ["pass", "pass"]


def test_inputs_are_explored_and_shrunk():
    scenario = small_scenario(
        faults=FAULTS, inputs=st.fixed_dictionaries({"items": st.integers(1, 500), "note": st.text()})
    )
    _, events = searched(too_many_items, scenario=scenario)
    assert of(events, FailureShrunk)[0].reproducer.plan.inputs == {"items": 3, "note": ""}


def test_a_failure_without_any_fault_explains_all_others():
    def broken(world):
        charge_with_retry(world)
        world.violated("lost_update", "item-1", "It is always lost.")

    _, events = searched(broken, runs=40)
    failure = next(item for item in of(events, FailureShrunk) if item.reproducer.invariant == "lost_update")
    assert (failure.number, failure.reproducer.plan.size) == (1, 0)
    assert of(events, ScenarioFinished)[0].failures[failure.signature] == 40


# What is counted


def test_the_end_tells_invariants_coverage_and_runs():
    _, events = searched(charge_with_retry, runs=120)
    finished = events[-1]
    assert isinstance(finished, ScenarioFinished)
    assert finished.runs == 120
    assert finished.shrink_runs == len(of(events, RunFinished)) - 120
    assert finished.invariants["lost_update"] == Tally(held=120)
    charge = next(
        row for row in finished.coverage
        if (row.fault, row.boundary) == ("lost_reply", "api>provider POST /charges.reply")
    )  # fmt: skip
    planned = sum(
        item.kind == "lost_reply" and item.at.startswith("api>provider") for run in explored(events)
        for item in run.plan.faults
    )  # fmt: skip
    assert charge.planned == planned
    assert 0 < charge.hit <= charge.planned


def test_a_probe_that_cannot_run_ends_the_search():
    class Broken(SmallRunner):
        def run(self, scenario, plan, *, detail=False):
            return Run(scenario.name, "default", plan, "error", error="the target blocks its loop")

    _, events = searched(charge_with_retry, runner=Broken(charge_with_retry))
    assert [type(event).__name__ for event in events] == ["RunFinished", "ScenarioFinished"]
    assert (events[-1].errors, events[0].error) == (1, "the target blocks its loop")


def test_what_the_runner_raises_passes_through_after_the_events_so_far():
    class Dying(SmallRunner):
        def run(self, scenario, plan, *, detail=False):
            if len(self.plans) == 5:
                raise TargetError("the target is gone")
            return super().run(scenario, plan, detail=detail)

    events = []
    with pytest.raises(TargetError, match="the target is gone"):
        search(Dying(deep_race), small_scenario(), Budget(runs=50), SEED, events.append)
    assert len(events) == 5


# What is spent


def test_a_budget_in_seconds_is_read_from_the_clock_and_overrun_by_shrinking_only():
    now_us = [0]

    class Slow(SmallRunner):
        def run(self, scenario, plan, *, detail=False):
            now_us[0] += 100_000
            return super().run(scenario, plan, detail=detail)

    events = []
    search(Slow(charge_with_retry), small_scenario(faults=FAULTS), Budget(seconds=3), SEED, events.append,
           clock_us=lambda: now_us[0])  # fmt: skip
    runs, finished = of(events, RunFinished), events[-1]
    assert 30 <= len(runs) <= 30 + 9
    assert finished.wall_us == len(runs) * 100_000
    assert finished.failures


def test_shrinking_is_bounded():
    _, events = searched(deep_race, runs=80, scenario=small_scenario(faults=FAULTS))
    steps = Counter(run.number for run in of(events, RunFinished) if run.phase == "shrink")
    assert max(steps.values(), default=0) <= MAX_RUNS + 3


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        ({}, "a budget has neither runs nor seconds; give one of them."),
        ({"runs": 0}, "a budget of 0 runs is impossible; give 1 to 1048575."),
        ({"runs": 2**20}, "a budget of 1048576 runs is impossible; give 1 to 1048575."),
        ({"seconds": 0.0}, "a budget of 0 seconds is impossible; give more than 0."),
        ({"seconds": float("nan")}, "a budget of nan seconds is impossible; give more than 0."),
    ],
)
def test_an_impossible_budget_is_refused(budget, text):
    with pytest.raises(UsageError) as caught:
        Budget(**budget)
    assert str(caught.value) == text


# That it can be had again


def test_two_searches_with_one_seed_tell_the_same():
    _, one = searched(lost_update, runs=80)
    _, other = searched(lost_update, runs=80)
    assert one == other


def test_another_seed_explores_other_plans():
    _, one = searched(lost_update, runs=30, seed=1)
    _, other = searched(lost_update, runs=30, seed=2)
    assert [run.plan.faults for run in explored(one)] != [run.plan.faults for run in explored(other)]


def test_a_longer_budget_starts_with_the_same_runs():
    _, short = searched(lost_update, runs=25)
    _, long = searched(lost_update, runs=50)
    assert [run.plan for run in explored(long)][:25] == [run.plan for run in explored(short)]


def test_a_seed_alone_gives_the_plan_of_its_run_again():
    scenario = small_scenario(faults=FAULTS, inputs=st.fixed_dictionaries({"items": st.integers(1, 500)}))
    runner, events = searched(too_many_items, runs=40, scenario=scenario)
    for run in explored(events)[::13]:
        before = len(runner.plans)
        assert plan_of_seed(runner, scenario, run.plan.seed) == run.plan
        assert len(runner.plans) - before <= 1


def test_a_seed_that_no_run_had_is_refused():
    scenario = small_scenario(constraints=False)
    with pytest.raises(UsageError) as caught:
        plan_of_seed(SmallRunner(charge_with_retry), scenario, run_seed(7, 5))
    assert str(caught.value) == (
        "seed 7340037 means run 5 of campaign 7, which scenario 'small' does not have; take a seed from runs.parquet"
        " or from a line that paychaos printed."
    )


def test_a_search_is_the_same_in_a_process_with_another_hash_seed():
    program = (
        "from harness.search import *; from harness.events import *\n"
        "from tests.harness.small_world import *\n"
        "import json\n"
        "scenario = small_scenario(faults=['lost_reply', 'late_request', 'crash'])\n"
        "search(SmallRunner(lost_update), scenario, Budget(runs=40), 5,\n"
        "       lambda event: print(json.dumps(event_to_json(event))), clock_us=lambda: 0)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=50,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1


def test_the_simulation_does_not_load_hypothesis():
    program = (
        "import sys, pkgutil, harness.sim\n"
        "import harness.policy, harness.plan, harness.run, harness.scenario, harness.events\n"
        "for module in pkgutil.iter_modules(harness.sim.__path__):\n"
        "    __import__(f'harness.sim.{module.name}')\n"
        "sys.exit('hypothesis' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
