"""The provider fails with 5xx, 429 and 409, with the charge kept, undone or made later."""

from harness import scenario
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy_with_retry, inputs, order
from targets.wiring import CHECKOUT

FAULTS = [
    "provider_error_before",
    "provider_error_after",
    "provider_error_rolled_forward",
    "provider_rate_limited",
    "provider_lock_timeout",
    "provider_key_in_use",
    "provider_truncated",
    "provider_decline",
    "provider_settle_later",
]


@scenario(CHECKOUT, faults=FAULTS, invariants=INVARIANTS, inputs=inputs)
async def provider_errors(world: World) -> None:
    """One customer pays while the provider answers with errors that do not say whether it charged."""
    (ana,) = world.clients("customer-1")
    await buy_with_retry(world, ana, order(world, "o-1"), "key-1")
