"""The statistics agree with counting every case, and with what their authors published."""

from fractions import Fraction
from itertools import combinations, product

import pytest

from results.statistics import Z_95, holm, mcnemar_exact, wilson


def counted_p_value(only_base: int, only_candidate: int) -> Fraction:
    """The share of all equally likely ways the discordant pairs could fall that are at least as lopsided."""
    tosses = only_base + only_candidate
    seen = abs(only_base - only_candidate)
    lopsided = [abs(2 * sum(way) - tosses) >= seen for way in product((0, 1), repeat=tosses)]
    return Fraction(sum(lopsided), len(lopsided))


@pytest.mark.parametrize(("only_base", "only_candidate"), [(b, c) for b in range(12) for c in range(12 - b)])
def test_mcnemar_is_the_share_of_all_cases_at_least_as_lopsided(only_base: int, only_candidate: int) -> None:
    assert mcnemar_exact(only_base, only_candidate) == float(counted_p_value(only_base, only_candidate))


def test_mcnemar_without_discordant_pairs_says_nothing() -> None:
    assert mcnemar_exact(0, 0) == 1.0


def test_mcnemar_stays_exact_where_floats_would_overflow() -> None:
    assert mcnemar_exact(0, 1000) == 2.0**-999
    assert mcnemar_exact(5000, 5000) == 1.0
    assert mcnemar_exact(0, 3000) == 0.0


@pytest.mark.parametrize(
    ("hits", "trials"), [(h, n) for n in (1, 2, 5, 20, 2000) for h in range(0, n, max(1, n // 5))]
)
def test_wilson_bounds_are_the_rates_exactly_z_deviations_away(hits: int, trials: int) -> None:
    for bound in wilson(hits, trials):
        deviation = (hits / trials - bound) ** 2
        assert deviation == pytest.approx(Z_95**2 * bound * (1 - bound) / trials, abs=1e-12)


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe (1998), Table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_is_symmetric_and_bounded() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0
    low, high = wilson(3, 10)
    assert wilson(7, 10) == pytest.approx((1 - high, 1 - low))


def closed_testing(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's procedure by its meaning: the worst Bonferroni value of every set that holds the hypothesis."""
    names = list(p_values)
    sets = [set(some) for size in range(1, len(names) + 1) for some in combinations(names, size)]
    return {
        name: max(min(1.0, len(some) * min(p_values[one] for one in some)) for some in sets if name in some)
        for name in names
    }


@pytest.mark.parametrize(
    "values",
    [
        (),
        (0.04,),
        (0.01, 0.04, 0.03, 0.005),
        (0.5, 0.5, 0.5),
        (0.02, 0.02, 0.9, 1.0),
        (1e-9, 0.2, 0.011, 0.049, 0.3),
    ],
)
def test_holm_is_closed_testing_over_every_set_of_hypotheses(values: tuple[float, ...]) -> None:
    p_values = {f"invariant_{number}": value for number, value in enumerate(values)}
    assert holm(p_values) == pytest.approx(closed_testing(p_values))
    assert list(holm(p_values)) == list(p_values)
