"""How a budget is shared."""

import pytest

from harness.campaign.job import SearchJob, Subject
from harness.campaign.schedule import Schedule, shares
from harness.errors import UsageError

SECOND_US = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.us = 0

    def __call__(self) -> int:
        return self.us


def subjects(count: int) -> list[Subject]:
    return [Subject("shop", "old", f"s{number}") for number in range(count)]


def take(schedule: Schedule) -> SearchJob:
    job = schedule.next_job()
    assert isinstance(job, SearchJob)
    return job


def test_runs_are_shared_evenly_and_none_is_lost() -> None:
    assert shares(2_000, 12) == [167] * 8 + [166] * 4
    assert shares(None, 2) == [None, None]


def test_fewer_runs_than_scenarios_are_refused() -> None:
    with pytest.raises(UsageError) as error:
        Schedule(subjects(12), seed=1, workers=2, now_us=Clock(), runs=5)
    assert str(error.value) == (
        "5 runs cannot be shared by 12 scenarios; each needs one. Give --runs 12 or more, or choose with --scenario."
    )


def test_each_scenario_gets_its_part_of_the_time_of_all_workers() -> None:
    schedule = Schedule(subjects(12), seed=1, workers=2, now_us=Clock(), seconds=60)
    assert take(schedule).seconds == 10
    assert take(schedule).seconds == 10


def test_a_scenario_that_ends_early_leaves_its_time_to_those_that_wait() -> None:
    clock = Clock()
    schedule = Schedule(subjects(3), seed=1, workers=1, now_us=clock, seconds=30)
    first = take(schedule)
    clock.us = 2 * SECOND_US
    schedule.ended(first.subject)
    assert take(schedule).seconds == 14


def test_nobody_gets_more_time_than_is_left_on_the_clock() -> None:
    schedule = Schedule(subjects(1), seed=1, workers=4, now_us=Clock(), seconds=30)
    assert take(schedule).seconds == 30


def test_the_schedule_ends_when_every_scenario_was_handed_out() -> None:
    schedule = Schedule(subjects(1), seed=1, workers=1, now_us=Clock(), runs=3)
    assert take(schedule).runs == 3
    assert schedule.next_job() is None
    assert schedule.time_left_us is None
