"""A known race of three requests in a real (if tiny) service is found, and shrinks to what matters."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.campaign.job import Subject
from tests.quality.searching import Searcher, searcher

SUBJECT = Subject("stages", "default", "three_walkers", str(Path(__file__).with_name("stages_chaos.py")))


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    with searcher(tmp_path_factory.mktemp("logs")) as made:
        yield made


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_race_of_depth_three_is_found_and_shrinks_to_two_constraints(worker: Searcher, seed: int) -> None:
    failure = worker.failures(SUBJECT, runs=180, seed=seed)[0]
    plan = failure.reproducer.plan
    assert (plan.policy, plan.faults, len(plan.constraints)) == ("fifo", (), 2)
    assert failure.runs_used < 60
    assert (failure.reproduced, failure.times) == (3, 3)
    assert [effect.verdict for effect in failure.removals] == ["pass", "pass"]

    assert worker.replay(SUBJECT, plan).digest == failure.reproducer.digest
    found = worker.replay(SUBJECT, seed=plan.seed)
    assert [violation.invariant for violation in found.violations] == ["stage_3_is_never_reached"]
