"""The provider's answer is lost after the money has moved."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy_with_retry, inputs, order
from targets.wiring import CHECKOUT


@scenario(
    CHECKOUT, faults=["lost_reply", "late_reply", "reset", "partial"], invariants=INVARIANTS, inputs=inputs
)
async def lost_reply(world: World) -> None:
    """One customer pays; answers get lost on the way, and she tries again with the same key."""
    (ana,) = world.clients("customer-1")
    await buy_with_retry(world, ana, order(world, "o-1"), "key-1")
