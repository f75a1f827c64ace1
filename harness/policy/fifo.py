"""First in, first out by virtual arrival: the order of a quiet network, and the one that constraints bend."""

from collections.abc import Sequence

from harness.policy.candidate import Candidate


class Fifo:
    """Always the earliest message. Draws nothing."""

    window_us = 0

    def choose(self, candidates: Sequence[Candidate]) -> int:
        return 0
