"""The provider does not answer in time, before or after it has charged."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy_with_retry, inputs, order
from targets.wiring import CHECKOUT

FAULTS = [
    "lost_request",
    "late_request",
    "slow",
    "provider_timeout_before",
    "provider_timeout_after",
    "provider_drop_after",
    "provider_slow",
    "provider_slow_execute",
]


@scenario(CHECKOUT, faults=FAULTS, invariants=INVARIANTS, inputs=inputs)
async def provider_timeout(world: World) -> None:
    """One customer pays while the provider times out."""
    (ana,) = world.clients("customer-1")
    await buy_with_retry(world, ana, order(world, "o-1"), "key-1")
