"""One key for two different requests."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy, inputs, order
from targets.wiring import CHECKOUT


@scenario(CHECKOUT, faults=["latency", "lost_reply", "duplicate"], invariants=INVARIANTS, inputs=inputs)
async def key_reused(world: World) -> None:
    """A client sends a key again with another amount, at once and later."""
    first, second = world.clients("customer-1", "customer-2")
    cheap, dear = order(world, "o-1"), order(world, "o-1", amount=99_900)
    await world.together(buy(first, cheap, "key-1"), buy(second, dear, "key-1"))
    await buy(second, dear, "key-1")
