"""Events cross processes as JSON lines and come out as they went in."""

import json

import pytest
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.events import FailureFound, FailureShrunk, RunFinished, event_from_json, event_to_json
from harness.search import Budget, search
from tests.harness.small_world import SmallRunner, charge_with_retry, small_scenario

_SCENARIO = small_scenario(
    faults=["lost_reply", "late_reply"], inputs=st.fixed_dictionaries({"items": st.integers(1, 3)})
)


def events_of(runner):
    events = []
    search(runner, _SCENARIO, Budget(runs=40), 1, events.append)
    return events


def test_every_event_of_a_search_survives_a_json_line():
    events = events_of(SmallRunner(charge_with_retry))
    assert {type(event).__name__ for event in events} == {
        "RunFinished",
        "FailureFound",
        "FailureShrunk",
        "ScenarioFinished",
    }
    for event in events:
        line = json.dumps(event_to_json(event))
        assert "\n" not in line
        assert event_from_json(json.loads(line)) == event


def test_a_flaky_failure_and_its_first_difference_survive_too():
    events = events_of(SmallRunner(charge_with_retry, noise=str))
    (flaky, *_) = [event for event in events if isinstance(event, FailureShrunk)]
    assert flaky.is_flaky
    assert flaky.first_difference is not None
    assert event_from_json(json.loads(json.dumps(event_to_json(flaky)))) == flaky


def test_runs_are_named_by_scenario_number_and_step():
    events = events_of(SmallRunner(charge_with_retry))
    runs = [event for event in events if isinstance(event, RunFinished)]
    assert runs[0].run_id == "small-1"
    (found, *_) = [event for event in events if isinstance(event, FailureFound)]
    assert f"small-{found.number}.1" in [run.run_id for run in runs]
    assert len({run.run_id for run in runs}) == len(runs)


def test_an_unknown_event_is_our_bug():
    with pytest.raises(HarnessError) as caught:
        event_from_json({"event": "RunStarted"})
    assert str(caught.value) == "no event is called 'RunStarted'"
