"""One order submitted from two devices, each with a key of its own."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy, inputs, order
from targets.wiring import CHECKOUT


@scenario(
    CHECKOUT,
    faults=["latency", "late_reply", "lost_reply"],
    invariants=INVARIANTS,
    inputs=inputs,
    instances={"api": 2},
)
async def two_devices(world: World) -> None:
    """The same order is paid on a phone and on a laptop at once."""
    phone, laptop = world.clients("phone", "laptop")
    body = order(world, "o-1")
    await world.together(buy(phone, body, "key-phone"), buy(laptop, body, "key-laptop"))
