"""Exploration policies: who is delivered next when a plan's constraints leave it open. One per file.

What belongs here: a rule that picks one of the messages in flight. What does not: faults, constraints, time.
A new policy is one file with a class of `window_us` and `choose`, one line in `_MAKERS` and its name in
`harness.plan.POLICIES`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from harness.errors import unknown_name
from harness.policy.candidate import Candidate
from harness.policy.fifo import Fifo
from harness.policy.pos import PartialOrderSampling
from harness.policy.uniform import Uniform

__all__ = ["Candidate", "Policy", "make_policy"]


class Policy(Protocol):
    """Made anew for each run: it may remember what it chose."""

    @property
    def window_us(self) -> int:
        """Messages that arrive up to this much after the earliest one are candidates too."""

    def choose(self, candidates: Sequence[Candidate]) -> int:
        """The index of the message to deliver. Candidates are sorted by (arrival_us, order), never empty."""


def make_policy(name: str, seed: int) -> Policy:
    """A fresh policy for one run. Raises UsageError on an unknown name."""
    if name not in _MAKERS:
        raise unknown_name("policy", name, _MAKERS, "paychaos run --help")
    return _MAKERS[name](seed)


_MAKERS: dict[str, Callable[[int], Policy]] = {
    "fifo": lambda seed: Fifo(),
    "random": Uniform,
    "pos": PartialOrderSampling,
}
