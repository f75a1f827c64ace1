"""The same callback comes more than once, one after the other or at the same time."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy, inputs, order
from targets.wiring import CHECKOUT


@scenario(
    CHECKOUT,
    faults=["duplicate", "callback_duplicated", "reset"],
    invariants=INVARIANTS,
    inputs=inputs,
    instances={"api": 2, "worker": 2},
)
async def duplicate_callback(world: World) -> None:
    """One customer pays; callbacks are delivered again, two APIs and two workers take them."""
    (ana,) = world.clients("customer-1")
    await buy(ana, order(world, "o-1"), "key-1")
