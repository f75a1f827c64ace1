"""Seeds: named child seeds, and run seeds that remember where they came from.

A child seed is an eight-byte ``blake2b`` of ``SEED/NAME/NAME…``, read big-endian, without its lowest bit.
That is a promise: it is the same on every machine, interpreter and version of this project.

A run's seed is ``campaign seed * 2^20 + run number``, so that one number is enough to make the run again.
"""

import hashlib
from random import Random

from harness.errors import UsageError

RUN_BITS = 20
MAX_RUNS = 2**RUN_BITS - 1
"""The last run number of a campaign; the first is 1."""

MAX_CAMPAIGN_SEED = 2 ** (63 - RUN_BITS) - 1


def child_seed(seed: int, *names: str | int) -> int:
    """A whole number from 0 to 2^63 - 1, decided by the seed and the names and by nothing else."""
    text = "/".join([str(seed), *(str(name) for name in names)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def child_random(seed: int, *names: str | int) -> Random:
    """A stream of its own for one purpose: ``child_random(plan.seed, "node", "api")``."""
    return Random(child_seed(seed, *names))


def run_seed(campaign_seed: int, number: int) -> int:
    """The plan seed of a campaign's run. Raises UsageError outside of the ranges above."""
    if not 0 <= campaign_seed <= MAX_CAMPAIGN_SEED:
        raise UsageError(
            f"seed {campaign_seed} is out of range; a campaign's seed is a whole number from 0 to"
            f" {MAX_CAMPAIGN_SEED}."
        )
    if not 0 <= number <= MAX_RUNS:
        raise UsageError(f"run {number} is out of range; the runs of a campaign are 1 to {MAX_RUNS}.")
    return (campaign_seed << RUN_BITS) + number


def split_run_seed(seed: int) -> tuple[int, int]:
    """The campaign's seed and the run number that `run_seed` made this of."""
    return seed >> RUN_BITS, seed & MAX_RUNS
