"""What a policy chooses from, and what every seeded policy has in common: windows and priorities."""

import hashlib
from dataclasses import dataclass

from harness.names import MessageName
from harness.seed import child_seed

WINDOWS_US = (2_000, 20_000, 200_000)
"""How far seeded policies may reach ahead. A link takes about a millisecond, so the narrow window swaps
neighbours, the middle one lets a request of a few round trips overtake, and the wide one whole checkouts,
while it stays shorter than the time-outs of sensible clients (which would make a question of order one of
loss)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message in flight. `order` is its place in the sequence of all messages sent in the run."""

    name: MessageName
    arrival_us: int
    order: int


def window_for(seed: int) -> int:
    """One of `WINDOWS_US`, each as likely as the others."""
    return WINDOWS_US[child_seed(seed, "window") % len(WINDOWS_US)]


def priority(seed: int, candidate: Candidate, draw: int) -> bytes:
    """A priority that only the seed, the message's name and the number of the draw decide."""
    text = f"{seed}/{draw}/{candidate.name}"
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
