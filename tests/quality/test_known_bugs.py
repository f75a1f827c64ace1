"""The bugs of the change under review are found within a small budget, and shrink to what a person can read."""

from collections.abc import Iterator

import pytest

from harness.campaign.job import Subject
from tests.quality.searching import Searcher, searcher

SEED = 20261121


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    with searcher(tmp_path_factory.mktemp("logs")) as made:
        yield made


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("scenario", "runs", "invariants"),
    [
        ("lost_reply", 30, {"duplicate_charge", "paid_without_effects"}),
        ("provider_timeout", 12, {"duplicate_charge"}),
        ("double_click", 3, {"duplicate_charge", "finalised_twice", "key_answered_differently"}),
        ("crash", 12, {"duplicate_charge", "paid_without_effects"}),
    ],
)
def test_known_bugs_are_found_and_shrink_small(
    worker: Searcher, scenario: str, runs: int, invariants: set[str]
) -> None:
    failures = worker.failures(Subject("checkout", "staging", scenario), runs=runs, seed=SEED)
    assert {failure.reproducer.invariant for failure in failures} >= invariants
    for failure in failures:
        plan = failure.reproducer.plan
        assert len(plan.faults) <= 3, failure
        assert len(plan.constraints) <= 3, failure
        assert (failure.reproduced, failure.times) == (3, 3), failure
