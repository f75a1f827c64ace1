"""The client half of the payment scenarios: who buys what, who retries, who double-clicks."""

from __future__ import annotations

from functools import cache
from typing import Any

from faker import Faker
from hypothesis import strategies as st

from harness.client import Client, Outcome
from harness.world import World

SECOND_US = 1_000_000
PATIENCE_US = 12 * SECOND_US
"""How long a customer's browser waits for the answer."""

GOOD_CARD = "pm_card_visa"
BAD_CARD = "pm_card_visa_chargeDeclined"

# What plans may vary: the price and how many are bought. Small values first, so that shrinking goes there.
inputs = st.fixed_dictionaries(
    {"amount": st.sampled_from([4200, 50, 99_900]), "quantity": st.sampled_from([1, 2, 3])}
)


@cache
def _faker() -> Faker:
    return Faker("en_GB")


def order(world: World, order_id: str, *, card: str = GOOD_CARD, **changes: Any) -> dict[str, Any]:
    """The body of a checkout: one order of a made-up customer. Amounts are minor units."""
    faker = _faker()
    faker.seed_instance(f"{world.plan.seed}/{order_id}")
    body = {
        "order_id": order_id,
        "sku": "book",
        "quantity": int(world.inputs.get("quantity", 1)),
        "amount": int(world.inputs.get("amount", 4200)),
        "currency": "eur",
        "payment_method": card,
        "email": faker.safe_email(),
    }
    return {**body, **changes}


async def buy(client: Client, body: dict[str, Any], key: str) -> Outcome:
    """Submits a checkout once."""
    return await client.post("/checkout", json=body, headers={"Idempotency-Key": key}, timeout_us=PATIENCE_US)


async def buy_with_retry(
    world: World, client: Client, body: dict[str, Any], key: str, tries: int = 3
) -> Outcome:
    """Submits until the answer is definite, with the same key, as a careful client does."""
    outcome = await buy(client, body, key)
    for attempt in range(1, tries):
        if outcome.kind != "unknown" and outcome.status not in (202, 409):
            break
        await world.sleep_us(attempt * SECOND_US)
        outcome = await buy(client, body, key)
    return outcome
