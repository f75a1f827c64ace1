"""PostgreSQL goes away at a COMMIT: done or not done, nobody knows."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy_with_retry, inputs, order
from targets.wiring import CHECKOUT


@scenario(CHECKOUT, faults=["reset", "down", "partition"], invariants=INVARIANTS, inputs=inputs, max_faults=2)
async def commit_lost(world: World) -> None:
    """Two customers pay; connections break, before or after what they carried was applied."""
    ana, ben = world.clients("customer-1", "customer-2")
    await world.together(
        buy_with_retry(world, ana, order(world, "o-1"), "key-1"),
        buy_with_retry(world, ben, order(world, "o-2"), "key-2"),
    )
