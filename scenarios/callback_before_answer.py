"""The provider's callback overtakes its own answer."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy, inputs, order
from targets.wiring import CHECKOUT


@scenario(
    CHECKOUT,
    faults=["callback_early", "late_reply", "latency", "pause"],
    invariants=INVARIANTS,
    inputs=inputs,
)
async def callback_before_answer(world: World) -> None:
    """Two customers pay; callbacks arrive while the API still waits for the provider's answer."""
    ana, ben = world.clients("customer-1", "customer-2")
    await world.together(
        buy(ana, order(world, "o-1"), "key-1"),
        buy(ben, order(world, "o-2"), "key-2"),
    )
