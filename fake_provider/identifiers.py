"""Object ids and secrets, a function of the counters and of the injected generator only."""

from random import Random

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Identifiers:
    """Makes ids such as `ch_1` (style `counter`) or `ch_1Qx…` with 24 characters (style `long`)."""

    def __init__(self, random: Random, style: str) -> None:
        self._random = random
        self._long = style == "long"
        self._counts: dict[str, int] = {}

    def new(self, prefix: str) -> str:
        """The next id with this prefix."""
        count = self._counts.get(prefix, 0) + 1
        self._counts[prefix] = count
        return f"{prefix}_{self.secret(24)}" if self._long else f"{prefix}_{count}"

    def secret(self, length: int) -> str:
        """Characters nobody can guess without the seed."""
        return "".join(self._random.choices(ALPHABET, k=length))
