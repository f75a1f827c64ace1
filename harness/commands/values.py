"""The types of option values: each turns a word into a value, or says which rule it breaks."""

import argparse
import math
from pathlib import Path

from harness.seed import MAX_CAMPAIGN_SEED, MAX_RUNS

MAX_WORKERS = 256
MAX_TIMES = 10_000
WORLD_HELP = "virtual time (default), or real processes behind Toxiproxy"
MAX_SECONDS = 7 * 24 * 3600


def runs(word: str) -> int:
    return whole(word, 1, MAX_RUNS)


def workers(word: str) -> int:
    return whole(word, 1, MAX_WORKERS)


def times(word: str) -> int:
    return whole(word, 1, MAX_TIMES)


def seed(word: str) -> int:
    return whole(word, 0, MAX_CAMPAIGN_SEED)


def seconds(word: str) -> float:
    """More than zero; a budget of no time, or one that never ends, is a mistake."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 < value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{word!r} is no time to run; give seconds, more than 0 and up to {MAX_SECONDS}"
        )
    return value


def whole(word: str, least: int, most: int) -> int:
    """A whole number within both ends."""
    digits = word.replace("_", "").replace(",", "")
    if not digits.isascii() or not digits.isdigit() or not least <= int(digits) <= most:
        raise argparse.ArgumentTypeError(
            f"{word!r} is not possible; give a whole number from {least} to {most}"
        )
    return int(digits)


def is_file_name(word: str) -> bool:
    """Whether a word means the user's Python file rather than a name of the catalogue."""
    return word.endswith(".py") or Path(word).is_file()
