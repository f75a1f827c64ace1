"""A process loses power in the middle of its work."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy_with_retry, inputs, order
from targets.wiring import CHECKOUT


@scenario(CHECKOUT, faults=["crash"], invariants=INVARIANTS, inputs=inputs, max_faults=2)
async def crash(world: World) -> None:
    """One customer pays; the API or the worker crashes at some message, and starts again."""
    (ana,) = world.clients("customer-1")
    await buy_with_retry(world, ana, order(world, "o-1"), "key-1")
