"""Delta debugging: the smallest sublist that still fails.

Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), complements only: a
failure that needs several parts is hardly ever inside one half.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")


def ddmin(items: Sequence[Item], fails: Callable[[list[Item]], bool]) -> list[Item]:
    """A sublist that fails and, if `fails` was never out of budget, from which no single item can be taken.

    `items` must fail. `fails` is asked about sublists in the original order; False means "does not fail" or
    "no runs left", so the result is always a sublist that was seen to fail.
    """
    kept = list(items)
    pieces = 2
    while kept:
        pieces = min(pieces, len(kept))
        smaller = _without_one_piece(kept, pieces, fails)
        if smaller is not None:
            kept, pieces = smaller, max(pieces - 1, 2)
        elif pieces == len(kept):
            break
        else:
            pieces *= 2
    return kept


def _without_one_piece(
    kept: list[Item], pieces: int, fails: Callable[[list[Item]], bool]
) -> list[Item] | None:
    edges = [len(kept) * piece // pieces for piece in range(pieces + 1)]
    for start, end in pairwise(edges):
        rest = kept[:start] + kept[end:]
        if fails(rest):
            return rest
    return None
