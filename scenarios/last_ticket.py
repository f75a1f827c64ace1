"""Two customers, one ticket."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy, order
from targets.wiring import CHECKOUT


@scenario(CHECKOUT, faults=["latency", "late_reply", "lost_reply"], invariants=INVARIANTS)
async def last_ticket(world: World) -> None:
    """The last ticket is sold to two customers at once: one gets it, the other gets the money back."""
    ana, ben = world.clients("customer-1", "customer-2")
    await world.together(
        buy(ana, order(world, "o-1", sku="last-ticket"), "key-1"),
        buy(ben, order(world, "o-2", sku="last-ticket"), "key-2"),
    )
