"""The correlation key has expired when the callback comes."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy, inputs, order
from targets.wiring import CHECKOUT


@scenario(
    CHECKOUT,
    faults=["callback_late", "callback_dropped", "expire", "late_request"],
    invariants=INVARIANTS,
    inputs=inputs,
)
async def late_callback(world: World) -> None:
    """One customer pays; the callback is late, and keys of the store expire meanwhile."""
    (ana,) = world.clients("customer-1")
    await buy(ana, order(world, "o-1"), "key-1")
