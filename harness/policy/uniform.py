"""Uniform choice: each message in the window is as likely as the others, at each delivery anew."""

from collections.abc import Sequence

from harness.policy.candidate import Candidate, priority, window_for


class Uniform:
    """A seeded random order. The seed also chooses how far it reaches ahead."""

    def __init__(self, seed: int) -> None:
        self.window_us = window_for(seed)
        self._seed = seed
        self._deliveries = 0

    def choose(self, candidates: Sequence[Candidate]) -> int:
        self._deliveries += 1
        draws = [priority(self._seed, candidate, self._deliveries) for candidate in candidates]
        return draws.index(min(draws))
