"""Object ids and secrets, a function of the counters and of the injected generator only."""

from random import Random


class Identifiers:
    """Makes ids such as `ch_1` (style `counter`) or `ch_` and 24 characters (style `long`)."""

    def __init__(self, random: Random, style: str) -> None:
        self._random = random
        self._long = style == "long"
        self._counts: dict[str, int] = {}

    def new(self, prefix: str) -> str:
        """The next id with this prefix."""
        if self._long:
            return f"{prefix}_{self.secret()}"
        count = self._counts.get(prefix, 0) + 1
        self._counts[prefix] = count
        return f"{prefix}_{count}"

    def secret(self) -> str:
        """24 characters nobody can guess without the seed."""
        return f"{self._random.getrandbits(96):024x}"
