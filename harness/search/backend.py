"""A Hypothesis backend whose draws depend on the seed and the strategy alone.

Hypothesis' own backend now and then takes a literal out of the modules that happen to be loaded. That is good for
testing them, but here run 318 of a campaign must be drawn the same in any process.
"""

from typing import Any

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

BACKEND = "paychaos"


class SameEverywhere(HypothesisProvider):
    """Hypothesis' own provider without the literals of loaded modules."""

    def _maybe_draw_constant(self, *arguments: Any, **options: Any) -> None:
        return None


AVAILABLE_PROVIDERS[BACKEND] = f"{__name__}.{SameEverywhere.__name__}"
