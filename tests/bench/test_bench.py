"""The benches measure what they say, in one short round each."""

from contextlib import closing

import pytest

from harness import Plan
from tests.bench import lost_update, standard
from tests.bench.figures import Cost, median_of


def test_the_lost_update_program_runs_in_both_arms() -> None:
    simulated, loopback = lost_update.measure(rounds=1, each=2)
    assert 0 < simulated.cpu_us < 1_000_000
    assert 0 < loopback.cpu_us < 1_000_000
    with closing(lost_update.LoadedOnce(lost_update.TARGET, "default", isolate=False)) as runner:
        run = runner.run(lost_update.SCENARIO, Plan(1), detail=True)
    delivered = [event.what for event in run.events if event.kind == "delivered"]
    names = [name for name in delivered if not name.endswith(".reply")]
    assert names == ["ana>server GET#1", "ben>server GET#1", "ana>server SET#1", "ben>server SET#1"]


@pytest.mark.timeout(120)
def test_the_standard_plan_is_what_its_name_says_and_its_shares_add_up() -> None:
    with closing(standard.Timed(standard.TARGET, "reference")) as runner:
        standard.check(runner.run(standard.SCENARIO, Plan(1)))
        assert runner.server_pid > 0
        shares = standard.shares(runner, count=3)
    assert tuple(shares) == standard.PARTS
    assert sum(shares.values()) == pytest.approx(1, abs=0.25)
    assert min(shares["PostgreSQL"], shares["the target"], shares["the harness"]) > 0.01


def test_the_median_is_taken_of_each_figure() -> None:
    assert median_of([Cost(1, 9), Cost(5, 5), Cost(9, 1)]) == Cost(5, 5)
