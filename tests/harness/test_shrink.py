"""Shrinking: what is left of a failing run, what it cost, and what is said of a failure that does not repeat."""

import pytest
from hypothesis import strategies as st

from harness.fault import fault
from harness.plan import Constraint, Plan
from harness.search.ddmin import ddmin
from harness.search.shrink import MAX_RUNS, shrink
from tests.harness.small_world import (
    SmallRunner,
    charge_with_retry,
    deep_race,
    lost_update,
    small_scenario,
    too_many_items,
)

CHARGE = "api>provider POST /charges#1"


def shrunk(program, plan, scenario=None, **options):
    scenario = scenario or small_scenario()
    runner = options.pop("runner", SmallRunner(program))
    run = runner.run(scenario, plan)
    assert run.violations, "the plan must fail to begin with"
    return shrink(runner, scenario, run, run.violations[0], **options)


def first_failing(program, policy, limit=3_000):
    runner, scenario = SmallRunner(program), small_scenario()
    for seed in range(limit):
        plan = Plan(seed, policy=policy)
        if runner.run(scenario, plan).violations:
            return plan
    raise AssertionError(f"{program.__name__} did not fail in {limit} runs under {policy}")


def test_ddmin_finds_the_few_that_matter_among_many():
    asked = []

    def fails(items):
        asked.append(items)
        return {17, 500, 901} <= set(items)

    assert ddmin(range(1_000), fails) == [17, 500, 901]
    assert len(asked) < 120


def test_ddmin_finds_that_nothing_matters():
    assert ddmin(range(8), lambda items: True) == []


def test_ddmin_keeps_what_it_has_when_it_may_ask_no_more():
    left = [2]

    def fails(items):
        left[0] -= 1
        return left[0] >= 0

    assert ddmin(range(8), fails) == [6, 7]


def test_faults_that_do_not_matter_go_and_amounts_become_defaults():
    plan = Plan(1, faults=(
        fault("late_reply", "api>postgres COMMIT#1.reply"),
        fault("late_reply", f"{CHARGE}.reply", delay_us=60_000_000),
        fault("lost_request", "api>postgres UPDATE orders#1"),
    ))  # fmt: skip
    result = shrunk(charge_with_retry, plan)
    assert result.plan == Plan(1, faults=(fault("late_reply", f"{CHARGE}.reply"),))
    assert (result.original_size, result.reproduced) == (3, 3)
    assert result.violation.sentence == "Order o-1 was charged 2 times."


def test_the_effect_of_each_removal_and_the_nearest_passing_plan_are_told():
    plan = Plan(1, faults=(fault("lost_reply", f"{CHARGE}.reply"),))
    result = shrunk(charge_with_retry, plan)
    (effect,) = result.removals
    assert (effect.removed, effect.verdict, effect.invariants) == (
        f"lost_reply   {CHARGE}.reply", "pass", (),
    )  # fmt: skip
    assert result.nearest_pass == Plan(1)


@pytest.mark.parametrize("policy", ["random", "pos"])
def test_a_race_of_depth_three_becomes_the_two_constraints_that_matter(policy):
    result = shrunk(deep_race, first_failing(deep_race, policy))
    assert result.plan.policy == "fifo"
    assert result.original_size > 10
    assert len(result.plan.constraints) == 2
    assert result.runs_used < 60
    assert result.reproduced == 3
    assert [effect.verdict for effect in result.removals] == ["pass", "pass"]


def test_an_order_that_constraints_do_not_show_keeps_its_policy():
    """The failure depends on the policy's name itself: nothing that a constraint could say."""

    def fails_by_policy(world):
        lost_update(world)
        if world.plan.policy == "pos":
            world.violated("deep_race", "s-1", "It is the policy.")

    plan = Plan(3, faults=(fault("late_reply", "api>postgres SELECT stock#1.reply"),), policy="pos")
    result = shrunk(fails_by_policy, plan)
    assert result.plan == Plan(3, policy="pos")
    assert result.reproduced == 3


def test_another_invariant_or_another_entity_is_not_the_same_failure():
    def either(world):
        kinds = [item.kind for item in world.plan.faults]
        if kinds:
            entity = "o-1" if kinds == ["lost_request", "lost_reply"] else "o-2"
            world.violated("duplicate_charge", entity, "It failed.")

    plan = Plan(1, faults=(fault("lost_request", CHARGE), fault("lost_reply", f"{CHARGE}.reply")))
    result = shrunk(either, plan)
    assert result.plan == plan
    assert [effect.invariants for effect in result.removals] == [("duplicate_charge",), ("duplicate_charge",)]


def test_inputs_are_shrunk_by_hypothesis():
    scenario = small_scenario(
        inputs=st.fixed_dictionaries({"items": st.integers(1, 1_000), "note": st.text()})
    )
    plan = Plan(
        1, {"items": 800, "note": "by bike"}, (fault("lost_reply", "api>postgres INSERT items#1.reply"),)
    )
    result = shrunk(too_many_items, plan, scenario)
    assert result.plan.inputs == {"items": 3, "note": ""}


def test_shrinking_keeps_to_its_runs_and_never_runs_a_plan_twice_before_the_final_check():
    runner = SmallRunner(deep_race)
    plan = first_failing(deep_race, "pos")
    seen = []
    result = shrunk(deep_race, plan, runner=runner, on_run=seen.append)
    assert len(seen) == result.runs_used <= MAX_RUNS
    tried = [repr(run.plan) for run in seen if run.plan != result.plan]
    assert len(tried) == len(set(tried))


def test_without_runs_left_the_found_plan_is_checked_and_kept():
    plan = Plan(1, faults=(fault("lost_reply", f"{CHARGE}.reply"), fault("hang", CHARGE)))
    result = shrunk(charge_with_retry, plan, may_run=lambda used: False)
    assert (result.plan, result.runs_used, result.reproduced, result.removals) == (plan, 3, 3, ())


def test_an_idle_constraint_goes_with_the_idle_faults_in_one_run():
    idle = Constraint("api>postgres COMMIT#7", "api>postgres INSERT orders#1")
    plan = Plan(
        1,
        faults=(fault("lost_reply", f"{CHARGE}.reply"), fault("hang", "api>postgres SELECT x#9")),
        constraints=(idle,),
    )
    steps = []
    result = shrunk(charge_with_retry, plan, on_run=steps.append)
    assert steps[0].plan.size == 1
    assert result.plan.constraints == ()


def test_a_constraint_that_only_delayed_a_message_becomes_a_delay():
    late = Constraint("api>postgres COMMIT#7", "api>postgres INSERT items#1.reply")
    scenario = small_scenario(inputs=st.fixed_dictionaries({"items": st.integers(1, 9)}))
    result = shrunk(too_many_items, Plan(1, {"items": 3}, constraints=(late,)), scenario)
    assert result.plan.constraints == ()
    assert result.plan.faults == (fault("late_reply", "api>postgres INSERT items#1.reply"),)


def test_a_failure_that_does_not_repeat_is_flaky_and_shows_the_first_difference():
    runner = SmallRunner(charge_with_retry, noise=lambda count: f"draw {count}" if count > 3 else "")
    plan = Plan(1, faults=(fault("lost_reply", f"{CHARGE}.reply"),))
    result = shrunk(charge_with_retry, plan, runner=runner, may_run=lambda used: used < 2)
    assert result.reproduced < 3
    one, other = result.first_difference
    assert one.startswith("0 µs noted")
    assert one != other


def test_of_two_amounts_the_one_that_does_not_matter_becomes_the_default():
    def slow_link(world):
        for planned in world.plan.faults:
            if planned.kind == "latency" and planned.number("delay_us") >= 3_000_000:
                world.violated("lost_update", "item-1", "It was too slow.")

    slow = fault("latency", CHARGE, link="api>provider", delay_us=3_000_000, duration_us=60_000_000)
    result = shrunk(slow_link, Plan(1, faults=(slow,)))
    assert result.plan.faults == (fault("latency", CHARGE, link="api>provider", delay_us=3_000_000),)
