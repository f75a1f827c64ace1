"""The statistics of a comparison, exact where exactness is cheap.

Sources: McNemar (1947), exact binomial form; Wilson (1927) score interval; Holm (1979) step-down procedure.
"""

from collections.abc import Mapping
from math import sqrt
from typing import TypeVar

Key = TypeVar("Key")

Z_95 = 1.959963984540054
"""The 97.5 % point of the normal distribution: two-sided 95 % intervals."""


def mcnemar_exact(only_base: int, only_candidate: int) -> float:
    """Two-sided p-value of the discordant pairs under "either side is as likely": a fair coin, both tails.

    `only_base` pairs failed in the base alone, `only_candidate` in the candidate alone; others do not count.
    """
    tosses = only_base + only_candidate
    ways = tail = 1  # to get no heads at all; then one more each time
    for heads in range(1, min(only_base, only_candidate) + 1):
        ways = ways * (tosses - heads + 1) // heads
        tail += ways
    return min(1.0, 2 * tail / (1 << tosses))


def wilson(hits: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The interval of rates that `hits` of `trials` do not contradict; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    rate, spread = hits / trials, z * z / trials
    middle = (rate + spread / 2) / (1 + spread)
    half = z * sqrt(rate * (1 - rate) / trials + spread / (4 * trials)) / (1 + spread)
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == trials else min(1.0, middle + half)
    return low, high


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Each p-value adjusted for having looked at all of them; in the order given."""
    adjusted: dict[Key, float] = {}
    worst = 0.0
    for rank, key in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[key]))
        adjusted[key] = worst
    return {key: adjusted[key] for key in p_values}
