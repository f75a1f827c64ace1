"""What plans are drawn from: only what the probe saw, simplest first, and always the same for one seed."""

import os
import subprocess
import sys

import pytest
from hypothesis import strategies as st

from harness.fault import SECOND_US, FaultKind, fault
from harness.history import Delivery
from harness.names import parse_name
from harness.plan import Plan
from harness.run import Run
from harness.search.seen import seen_in
from harness.search.strategies import constraints, draw, faults, parts, simplest_inputs, smallest
from harness.target import Dependency
from tests.harness.small_world import SmallRunner, charge_with_retry, lost_update, small_scenario

KINDS = ("lost_reply", "late_request", "duplicate", "crash", "partition", "expire", "down", "latency")


def seen_by(scenario, program=charge_with_retry):
    return seen_in(SmallRunner(program).run(scenario, Plan(1)), scenario)


def seen_among(scenario, *names):
    protocols = {"redis": "resp", "postgres": "postgres"}
    parsed = [parse_name(name) for name in names]
    deliveries = [Delivery(name, protocols.get(name.destination, "http"), 0, 0) for name in parsed]
    return seen_in(Run(scenario.name, "default", Plan(1), "pass", deliveries=deliveries), scenario)


def test_a_fault_is_offered_where_its_anchor_and_protocol_allow():
    seen = seen_by(small_scenario(faults=KINDS))
    assert [item.at for item in seen.faults("lost_reply")] == [
        "api>postgres INSERT orders#1.reply", "api>provider POST /charges#1.reply",
        "api>postgres UPDATE orders#1.reply", "api>postgres COMMIT#1.reply",
    ]  # fmt: skip
    assert [item.at for item in seen.faults("duplicate")] == ["api>provider POST /charges#1"]
    assert all(not item.at.endswith(".reply") for item in seen.faults("late_request"))


def test_faults_of_nodes_links_and_stores_say_where():
    scenario = small_scenario(faults=KINDS)
    seen = seen_among(
        scenario, "api>redis SET corr:*#1", "api>redis SET corr:*#1.reply", "worker>postgres COMMIT#1"
    )
    assert seen.faults("crash")[0] == fault("crash", "api>redis SET corr:*#1", node="api")
    assert {item.text("node") for item in seen.faults("crash")} == {"api", "worker"}
    assert {item.text("node") for item in seen.faults("down")} == {"redis", "postgres"}
    assert seen.faults("expire") == (fault("expire", "api>redis SET corr:*#1", keys="corr:*"),)
    assert seen.faults("partition")[0] == fault("partition", "api>redis SET corr:*#1", a="api", b="redis")
    assert seen.faults("latency")[-1] == fault("latency", "worker>postgres COMMIT#1", link="worker>postgres")


def test_retries_that_only_a_failure_brings_about_can_be_named_too():
    seen = seen_by(small_scenario(faults=KINDS))
    assert "api>provider POST /charges#2.reply" in [item.at for item in seen.retry_faults("lost_reply")]


def test_what_a_dependency_can_do_is_offered_on_its_own_messages_only():
    declines = FaultKind("small_world_declines", "the bank says no", "operation")
    forgets = FaultKind("small_world_forgets", "the bank does not call back", "callback")
    scenario = small_scenario(faults=["lost_reply"])
    scenario.target.dependencies = (Dependency("provider", service=object, faults=[declines, forgets]),)
    seen = seen_among(
        scenario, "api>provider POST /charges#1", "provider>api paid#1", "api>postgres COMMIT#1"
    )
    assert [item.at for item in seen.faults(declines.name)] == ["api>provider POST /charges#1"]
    assert [item.at for item in seen.faults(forgets.name)] == ["provider>api paid#1"]


def test_the_first_value_drawn_is_the_simplest_and_a_seed_decides_the_rest():
    scenario = small_scenario(faults=KINDS)
    strategy = parts(scenario, seen_by(scenario))
    drawn = draw(strategy, 5, 40)
    assert drawn[0] == ({}, (), ())
    assert drawn == draw(strategy, 5, 40)
    assert drawn != draw(strategy, 6, 40)


def test_drawn_faults_keep_to_the_scenario():
    scenario = small_scenario(faults=["lost_reply", "late_request"], max_faults=2)
    drawn = draw(faults(scenario, seen_by(scenario)), 1, 120)
    assert {len(item) for item in drawn} == {0, 1, 2}
    assert {one.kind for item in drawn for one in item} == {"lost_reply", "late_request"}
    amounts = {one.number("delay_us") for item in drawn for one in item if one.kind == "late_request"}
    assert amounts == {SECOND_US // 5, 3 * SECOND_US, 10 * SECOND_US, 60 * SECOND_US}


def test_the_first_fault_is_about_a_message_that_was_seen_and_others_may_be_about_its_retry():
    scenario = small_scenario(faults=["lost_reply"])
    seen = seen_by(scenario)
    drawn = draw(faults(scenario, seen), 1, 120)
    assert {item[0] for item in drawn if item} <= set(seen.faults("lost_reply"))
    assert {one for item in drawn for one in item[1:]} & set(seen.retry_faults("lost_reply"))


def test_constraints_turn_racing_pairs_round():
    scenario = small_scenario()
    seen = seen_by(scenario, lost_update)
    drawn = {one for item in draw(constraints(scenario, seen), 1, 120) for one in item}
    assert drawn <= set(seen.constraints)
    assert len(drawn) > len(seen.constraints) // 2
    place = {str(name): index for index, name in enumerate(seen.names)}
    assert all(place[one.before] > place[one.after] for one in drawn)


def test_a_scenario_may_forbid_constraints():
    scenario = small_scenario(constraints=False)
    assert draw(constraints(scenario, seen_by(scenario, lost_update)), 1, 20) == [()]


def test_without_faults_and_races_there_is_one_plan():
    scenario = small_scenario()
    assert draw(parts(scenario, seen_by(scenario)), 1, 20) == [({}, (), ())]


def test_the_simplest_inputs_are_those_that_hypothesis_would_shrink_to():
    scenario = small_scenario(inputs=st.fixed_dictionaries({"items": st.integers(1, 9), "note": st.text()}))
    assert simplest_inputs(scenario) == {"items": 1, "note": ""}
    assert simplest_inputs(small_scenario()) == {}


def test_the_smallest_failing_value_is_found():
    strategy = st.fixed_dictionaries({"items": st.integers(1, 1_000)})
    assert smallest(strategy, lambda value: value["items"] >= 37, 1) == {"items": 37}
    assert smallest(strategy, lambda value: False, 1) is None


def test_a_value_that_failed_is_kept_when_the_runs_are_used_up():
    left = [3]

    def fails(value):
        left[0] -= 1
        return left[0] >= 0 and value >= 10

    found = smallest(st.integers(0, 1_000).filter(lambda value: value >= 10), fails, 1)
    assert found is not None
    assert found >= 10


@pytest.mark.parametrize("environment", [{}, {"CI": "true"}])
def test_drawing_is_the_same_in_another_process_and_under_ci(environment):
    program = (
        "from hypothesis import strategies as st; from harness.search.strategies import draw\n"
        "print(draw(st.lists(st.sampled_from('abcdef')), 5, 20))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path), **environment},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert result.stdout.strip() == str(draw(st.lists(st.sampled_from("abcdef")), 5, 20))


def test_faults_at_a_dependency_are_the_most_interesting_and_those_at_reads_the_least():
    scenario = small_scenario(faults=["lost_request"])
    scenario.target.dependencies = (Dependency("provider", service=object),)
    seen = seen_among(
        scenario,
        "api>provider POST /charges#1",
        "provider>api paid#1",
        "api>postgres UPDATE orders#1",
        "api>postgres SELECT orders#1",
    )
    assert [seen.interest(item) for item in seen.faults("lost_request")] == [0, 0, 1, 2]


def test_what_is_drawn_does_not_depend_on_the_modules_that_are_loaded(tmp_path):
    (tmp_path / "literals.py").write_text("NUMBERS = [" + ", ".join(str(n) for n in range(1, 400)) + "]\n")
    program = (
        "import sys\n"
        "from hypothesis import strategies as st\n"
        "from harness.search.strategies import draw\n"
        "if 'load' in sys.argv: import literals\n"
        "print(draw(st.lists(st.integers(0, 10**6), max_size=4), 7, 200))\n"
    )
    drawn = [
        subprocess.run(
            [sys.executable, "-c", program, *argument],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}"},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        for argument in ([], ["load"])
    ]  # fmt: skip
    assert drawn[0] == drawn[1]
