"""Two requests with one key at the same time."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy, inputs, order
from targets.wiring import CHECKOUT


@scenario(
    CHECKOUT,
    faults=["latency", "late_request", "lost_reply"],
    invariants=INVARIANTS,
    inputs=inputs,
    instances={"api": 2},
)
async def double_click(world: World) -> None:
    """One customer clicks twice: the same order, the same key, two instances of the API."""
    first, second = world.clients("customer-1", "customer-1-again")
    body = order(world, "o-1")
    await world.together(buy(first, body, "key-1"), buy(second, body, "key-1"))
