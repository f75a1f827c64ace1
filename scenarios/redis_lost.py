"""Redis is down, flushed or short of memory at a boundary."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy_with_retry, inputs, order
from targets.wiring import CHECKOUT


@scenario(
    CHECKOUT, faults=["down", "flush", "evict", "expire", "refused"], invariants=INVARIANTS, inputs=inputs
)
async def redis_lost(world: World) -> None:
    """One customer pays while the store loses what it held."""
    (ana,) = world.clients("customer-1")
    await buy_with_retry(world, ana, order(world, "o-1"), "key-1")
