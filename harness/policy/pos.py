"""Partial order sampling over messages.

Source: Yuan, Yang and Gu, "Partial Order Aware Concurrency Sampling" (CAV 2018). Each message in flight has a
random priority and keeps it; the highest is delivered; the messages that race with the delivered one (same
receiver) draw anew. So each order of the racing messages is sampled about evenly, however many unrelated
messages surround them.
"""

from collections.abc import Sequence

from harness.policy.candidate import Candidate, priority, window_for


class PartialOrderSampling:
    """Seeded. The seed also chooses how far it reaches ahead."""

    def __init__(self, seed: int) -> None:
        self.window_us = window_for(seed)
        self._seed = seed
        self._draws: dict[int, int] = {}
        self._priorities: dict[int, bytes] = {}

    def choose(self, candidates: Sequence[Candidate]) -> int:
        best = min(range(len(candidates)), key=lambda index: (self._priority(candidates[index]), index))
        chosen = candidates[best]
        for candidate in candidates:
            if candidate is chosen or candidate.name.receiver == chosen.name.receiver:
                self._priorities.pop(candidate.order, None)
                self._draws[candidate.order] = self._draws.get(candidate.order, 0) + 1
        self._draws.pop(chosen.order)
        return best

    def _priority(self, candidate: Candidate) -> bytes:
        found = self._priorities.get(candidate.order)
        if found is None:
            draw = self._draws.get(candidate.order, 0)
            found = self._priorities[candidate.order] = priority(self._seed, candidate, draw)
        return found
