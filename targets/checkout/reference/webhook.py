"""Events of the provider. A webhook is a hint that may come early, late, twice, out of order or never.

1. An event that is not authentic is refused. One that says nothing about money, or is old news for its attempt, is
   acknowledged and forgotten: states only move forward, so what is old news stays old.
2. A payment that succeeded is final at the provider: that snapshot is taken at its word. Any other snapshot may be
   out of date: the payment is fetched as it is now, before the transaction and never under a lock.
3. The event's id and its work are committed together (settlement.py), then it is acknowledged. Until then the answer
   is 5xx and the provider delivers again. A crash after the commit means one more delivery, which is old news (1).
4. An event without an outcome is acknowledged: the attempt has a due time, and the worker will ask.
"""

import logging
import uuid
from typing import Any

from targets.checkout.database import TRANSIENT, Pool
from targets.checkout.reference.attempt import OPEN, OPEN_TO_MONEY, Paid, Unknown
from targets.checkout.reference.payments import Payments, outcome_of
from targets.checkout.reference.settlement import Event, settle
from targets.checkout.reference.transactions import in_transaction
from targets.checkout.shapes import Answer, refusal

log = logging.getLogger(__name__)

KINDS = frozenset({"payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled"})

STATE = "select state from checkout_attempts where id = $1"

ACKNOWLEDGED = Answer(200, '{"received": true}')


async def receive(pool: Pool, payments: Payments, event: dict[str, Any]) -> Answer:
    """Works on one authentic event."""
    kind = event.get("type")
    if kind not in KINDS:
        return ACKNOWLEDGED
    intent = event["data"]["object"]
    attempt_id = _attempt_id(intent)
    if attempt_id is None:
        log.info("event %s is about a payment of somebody else", event["id"])
        return ACKNOWLEDGED
    outcome = outcome_of(intent)
    try:
        state = await pool.fetchval(STATE, attempt_id)
        if state not in (OPEN_TO_MONEY if isinstance(outcome, Paid) else OPEN):
            return ACKNOWLEDGED
        if not isinstance(outcome, Paid):
            outcome = await payments.look_up(intent["id"])
        if isinstance(outcome, Unknown):
            return ACKNOWLEDGED
        identity = Event(event["id"], kind)
        await in_transaction(pool, lambda connection: settle(connection, attempt_id, outcome, identity))
    except TRANSIENT as error:
        log.warning("event %s: %r", event["id"], error)
        return refusal(503, "try_again", "The event was not recorded; deliver it again.")
    return ACKNOWLEDGED


def _attempt_id(intent: dict[str, Any]) -> str | None:
    try:
        return str(uuid.UUID((intent.get("metadata") or {})["attempt_id"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
