"""Talking to the provider about one attempt.

Every call that moves money carries an idempotency key that was committed to PostgreSQL before the call, so any
process may repeat it at any time: the provider executes it once. What comes back is an Outcome, never an exception:

1. an answer with an outcome is Paid or Declined;
2. no answer, a conflict (409), a rate limit (429), a server error: Unknown. The charge may exist;
3. so whoever looks at the attempt next first searches the provider's payments for it, by metadata, and only then
   charges again, under the same key. The search sees what a stored 500 hides, and a payment whose key was lost;
4. a request that is still on its way meets the key, whenever it arrives.
"""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any

import stripe

from targets.checkout.provider import PROVIDER_TIMEOUT_S
from targets.checkout.reference.attempt import Declined, Outcome, Paid, Unknown

FIRST_PAUSE_S = 0.2
# One customer waits for this: after it the worker goes on alone and the customer is told "processing".
SUBMIT_BUDGET_S = 2.5
# How far apart the provider's clock and ours may be.
CLOCK_TOLERANCE_S = 6 * 3_600
# A key that answers with a server error may do so for ever. Another one is safe here, and only here: the
# provider never gives back more than was charged.
TRIES_PER_REFUND_KEY = 4


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the provider is told. ``created_at`` in Unix seconds, ``amount`` in minor units."""

    id: str
    order_id: str
    provider_key: str
    amount: int
    currency: str
    payment_method: str
    created_at: float
    payment_intent: str | None = None


class Payments:
    """The provider, seen from the checkout."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds

    async def submit(self, attempt: Attempt) -> Outcome:
        """Charges, repeating what fails quickly until SUBMIT_BUDGET_S is used up."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + SUBMIT_BUDGET_S
        pause = FIRST_PAUSE_S
        outcome = await self.charge(attempt)
        while isinstance(outcome, Unknown) and outcome.payment_intent is None:
            pause_now = pause * random.uniform(0.5, 1.0)
            if clock() + pause_now >= deadline:
                break
            await asyncio.sleep(pause_now)
            pause *= 2
            outcome = await self.find(attempt) or await self.charge(attempt)
        return outcome

    async def charge(self, attempt: Attempt) -> Outcome:
        """One request to charge. Safe to repeat: the key belongs to the attempt, not to the call."""
        try:
            return await _outcome(
                self._intents.create_async(
                    {
                        "amount": attempt.amount,
                        "currency": attempt.currency,
                        "payment_method": attempt.payment_method,
                        "confirm": True,
                        "error_on_requires_action": True,
                        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                        "metadata": {"order_id": attempt.order_id, "attempt_id": attempt.id},
                    },
                    {"idempotency_key": attempt.provider_key},
                )
            )
        except stripe.InvalidRequestError as error:
            # Refused before anything was executed, and it would be refused again.
            return Declined(error.code or "invalid_request")

    async def look_up(self, payment_intent: str) -> Outcome:
        """The state of a payment whose id we know, as it is now."""
        try:
            outcome = await _outcome(self._intents.retrieve_async(payment_intent))
        except stripe.InvalidRequestError as error:
            outcome = _unknown(error)
        return replace(outcome, payment_intent=payment_intent)

    async def find(self, attempt: Attempt) -> Outcome | None:
        """Looks for the attempt among the provider's payments; None when the provider says there is none."""
        try:
            async with asyncio.timeout(PROVIDER_TIMEOUT_S):
                page = await self._intents.list_async(
                    {"limit": 100, "created": {"gte": int(attempt.created_at) - CLOCK_TOLERANCE_S}}
                )
                async for intent in page.auto_paging_iter():
                    if intent.to_dict().get("metadata", {}).get("attempt_id") == attempt.id:
                        return outcome_of(intent.to_dict())
        except (stripe.StripeError, TimeoutError) as error:
            return _unknown(error)
        return None

    async def cancel(self, payment_intent: str) -> Outcome:
        """Makes sure that a payment the customer never completed stays uncompleted."""
        try:
            return await _outcome(self._intents.cancel_async(payment_intent))
        except stripe.InvalidRequestError:
            # Not in a state that can be cancelled: it has gone on, so ask where to.
            return await self.look_up(payment_intent)

    async def refund(self, attempt: Attempt, payment_intent: str, tries: int) -> str | None:
        """Gives all the money back; the refund's id, or None when the answer is not known yet."""
        key = f"{attempt.provider_key}-refund-{tries // TRIES_PER_REFUND_KEY}"
        try:
            async with asyncio.timeout(PROVIDER_TIMEOUT_S):
                refund = await self._refunds.create_async(
                    {"payment_intent": payment_intent, "metadata": {"attempt_id": attempt.id}},
                    {"idempotency_key": key},
                )
        except stripe.InvalidRequestError as error:
            return "already_refunded" if error.code == "charge_already_refunded" else None
        except (stripe.StripeError, TimeoutError):
            return None
        return refund.id if refund.status in ("succeeded", "pending") else None


def outcome_of(intent: dict[str, Any]) -> Outcome:
    """What a PaymentIntent object says. Only ``succeeded`` and ``canceled`` are outcomes of their own."""
    match intent["status"]:
        case "succeeded":
            return Paid(intent["id"], intent["amount_received"], intent["currency"])
        case "canceled":
            return Declined("payment_canceled", intent["id"])
        case "requires_payment_method" if intent.get("last_payment_error"):
            return Declined(_decline_code(intent["last_payment_error"]), intent["id"])
        case status:
            return Unknown(f"payment is {status}", intent["id"])


async def _outcome(call: Awaitable[stripe.PaymentIntent]) -> Outcome:
    """The outcome of one call; what a refusal (InvalidRequestError) means, only the caller knows."""
    try:
        async with asyncio.timeout(PROVIDER_TIMEOUT_S):
            intent = await call
    except stripe.CardError as error:
        body = error.json_body if isinstance(error.json_body, dict) else {}
        details = body.get("error", {})
        return Declined(_decline_code(details), (details.get("payment_intent") or {}).get("id"))
    except stripe.InvalidRequestError:
        raise
    except (stripe.StripeError, TimeoutError) as error:
        return _unknown(error)
    return outcome_of(intent.to_dict())


def _decline_code(details: dict[str, Any]) -> str:
    return str(details.get("decline_code") or details.get("code") or "card_declined")


def _unknown(error: Exception) -> Unknown:
    status = getattr(error, "http_status", None)
    reason = f"{type(error).__name__} {status}" if status else type(error).__name__
    return Unknown(reason, is_server_error=status is not None and status >= 500)
