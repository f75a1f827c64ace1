"""The machine's clock, for the people's side of a campaign: budgets, progress and the default seed.

The only door to it outside the live world. Nothing in here may reach a run: a run knows virtual time alone.
"""

import datetime
import time


def monotonic_us() -> int:
    """Microseconds of a clock that never goes back; only differences mean anything."""
    return time.monotonic_ns() // 1_000


def seed_of_today() -> int:
    """The seed of a campaign that was given none, 20261121: everybody who asks on one day explores the same
    runs.
    """
    return int(datetime.date.today().strftime("%Y%m%d"))  # noqa: TID251 - see the docstring
