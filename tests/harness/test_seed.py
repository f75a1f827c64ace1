"""Seeds are a promise: pinned values, independent children, and run seeds that can be taken apart."""

import pytest

from harness.errors import UsageError
from harness.seed import MAX_CAMPAIGN_SEED, MAX_RUNS, child_random, child_seed, run_seed, split_run_seed


def test_child_seeds_are_pinned():
    assert child_seed(20261121, "node", "api") == 4_144_966_967_870_014_838
    assert child_random(20261121, "node", "api").randrange(1_000_000) == 394318


def test_children_differ_by_name_and_by_seed():
    seeds = {
        child_seed(seed, *names) for seed in (1, 2) for names in ((), ("a",), ("b",), ("a", "b"), ("a", 1))
    }
    assert len(seeds) == 10
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(("campaign", "number"), [(0, 1), (20261121, 318), (MAX_CAMPAIGN_SEED, MAX_RUNS)])
def test_a_run_seed_remembers_campaign_and_number(campaign, number):
    seed = run_seed(campaign, number)
    assert 0 <= seed < 2**63
    assert split_run_seed(seed) == (campaign, number)


def test_a_seed_out_of_range_is_refused():
    with pytest.raises(UsageError) as caught:
        run_seed(2**43, 1)
    assert str(caught.value) == (
        "seed 8796093022208 is out of range; a campaign's seed is a whole number from 0 to 8796093022207."
    )
    with pytest.raises(UsageError) as caught:
        run_seed(1, 2**20)
    assert str(caught.value) == "run 1048576 is out of range; the runs of a campaign are 1 to 1048575."
