"""Submitting a payment, with retries: a slow provider should not cost us the sale."""

import asyncio
import logging
import random
import uuid

import stripe

log = logging.getLogger(__name__)

MAX_SUBMITS = 2
FIRST_PAUSE_S = 0.2


class PaymentDeclined(Exception):
    """The card was refused; ``payment_intent`` is the provider's record of it."""

    def __init__(self, code: str, payment_intent: str | None) -> None:
        super().__init__(code)
        self.code = code
        self.payment_intent = payment_intent


class PaymentFailed(Exception):
    """The provider did not take the payment, not even after retries."""


async def submit_payment(
    client: stripe.StripeClient, order_id: str, amount: int, currency: str, payment_method: str
) -> stripe.PaymentIntent:
    """Charges ``amount`` minor units; time-outs, rate limits and server errors are retried with backoff."""
    pause = FIRST_PAUSE_S
    for submit in range(1, MAX_SUBMITS + 1):
        try:
            return await client.v1.payment_intents.create_async(
                {
                    "amount": amount,
                    "currency": currency,
                    "payment_method": payment_method,
                    "confirm": True,
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    # Shown in the provider's dashboard, for the support team.
                    "description": f"Order {order_id}",
                    "metadata": {"order_id": order_id},
                },
                {"idempotency_key": f"{order_id}-{uuid.uuid4()}"},
            )
        except stripe.CardError as error:
            raise PaymentDeclined(error.code or "card_declined", _intent_of(error)) from error
        except stripe.StripeError as error:
            log.warning("order %s: submit %s failed: %r", order_id, submit, error)
        if submit < MAX_SUBMITS:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause *= 2
    raise PaymentFailed(order_id)


def _intent_of(error: stripe.CardError) -> str | None:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    intent = body.get("error", {}).get("payment_intent") or {}
    return intent.get("id")
