"""Callbacks come out of order, or tell of a state that is over."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import BAD_CARD, buy, inputs, order
from targets.wiring import CHECKOUT

FAULTS = ["callback_reordered", "callback_stale", "callback_old_snapshot", "callback_late", "late_request"]


@scenario(CHECKOUT, faults=FAULTS, invariants=INVARIANTS, inputs=inputs)
async def stale_callback(world: World) -> None:
    """A first card is declined, a second one pays; what is told of the first may come last."""
    (ana,) = world.clients("customer-1")
    await buy(ana, order(world, "o-1", card=BAD_CARD), "key-1")
    await buy(ana, order(world, "o-1"), "key-2")
