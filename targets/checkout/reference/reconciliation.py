"""Finishing attempts whose outcome is unknown, and giving money back.

1. An attempt is looked at when it is due: its request crashed or got no answer, it must be refunded, or it was given
   up and is watched. TAKE_DUE moves its due time before anything else, so a second worker leaves it alone, and a
   crash from here on only delays it.
2. Nothing depends on having been the only one: every call to the provider is idempotent, and every result is settled
   under the attempt's lock.
3. Silence never ends an attempt; it is asked about until the provider answers. Only server errors, several times, and
   a list of payments without it do (Abandoned). Should its money appear after all, a webhook or the watch sends it
   back.
4. A refund that was made and not recorded is found again: the provider answers "already refunded".
"""

import logging
import random

from targets.checkout.database import Pool
from targets.checkout.reference.attempt import Abandoned, Report, State, Unknown
from targets.checkout.reference.payments import Attempt, Payments
from targets.checkout.reference.settlement import settle, settle_refund
from targets.checkout.reference.transactions import ACQUIRE_TIMEOUT_S, in_transaction

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 8.0
MAX_WATCH_PAUSE_S = 3_600.0
# So many tries, the last a server error, and no such payment in the provider's list: the order is closed unpaid.
TRIES_BEFORE_ABANDON = 6
# The provider forgets an idempotency key after 24 hours: older attempts are looked up, never charged again.
RESUBMIT_S = 23 * 3_600
# An abandoned payment that has not appeared by then never will.
WATCH_S = 3 * 24 * 3_600

TAKE_DUE = """
update checkout_attempts a
set tries = a.tries + 1, due_at = now() + make_interval(secs => $2 * least(
    $3 * power(2, least(a.tries, 20)), case a.state when 'payment_abandoned' then $5::float8 else $4::float8 end))
from orders o
where a.id = $1 and a.due_at <= now() and o.id = a.order_id
returning a.id::text, a.order_id, a.provider_key, a.payment_method, a.payment_intent, a.state, a.tries,
          o.amount, o.currency, extract(epoch from a.created_at)::float8 as created_at,
          extract(epoch from now() - a.created_at)::float8 as age_s
"""

STOP_WATCHING = "update checkout_attempts set due_at = null where id = $1 and state = 'payment_abandoned'"


async def reconcile(pool: Pool, payments: Payments, attempt_id: str) -> None:
    """Does what is due for one attempt; raises database.TRANSIENT, after which it is due again."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
        row = await connection.fetchrow(
            TAKE_DUE, attempt_id, random.uniform(0.75, 1.25), FIRST_PAUSE_S, MAX_PAUSE_S, MAX_WATCH_PAUSE_S
        )
    if row is None:
        return
    attempt = Attempt(
        row["id"],
        row["order_id"],
        row["provider_key"],
        row["amount"],
        row["currency"],
        row["payment_method"],
        row["created_at"],
        row["payment_intent"],
    )
    if row["state"] == State.COMPENSATION_REQUIRED:
        await _refund(pool, payments, attempt, row["tries"])
        return
    if row["state"] == State.PAYMENT_ABANDONED:
        report = await _watch(pool, payments, attempt, row["age_s"])
    else:
        report = await _ask(payments, attempt, row["tries"], row["age_s"])
    if isinstance(report, Unknown):
        log.info("order %s, try %s: %s", attempt.order_id, row["tries"], report.reason)
        return
    await in_transaction(pool, lambda connection: settle(connection, attempt.id, report))


async def _ask(payments: Payments, attempt: Attempt, tries: int, age_s: float) -> Report:
    """The best knowledge there is about an open attempt."""
    last_try = tries >= TRIES_BEFORE_ABANDON
    outcome = await payments.find(attempt)
    if outcome is None and age_s > RESUBMIT_S:
        return Abandoned()
    if outcome is None:
        outcome = await payments.charge(attempt)
        if isinstance(outcome, Unknown) and outcome.is_server_error and last_try:
            return await payments.find(attempt) or Abandoned()
    if isinstance(outcome, Unknown) and outcome.payment_intent and last_try:
        # It waits for something that the customer will not do any more.
        return await payments.cancel(outcome.payment_intent)
    return outcome


async def _watch(pool: Pool, payments: Payments, attempt: Attempt, age_s: float) -> Report:
    """Whether the money of an abandoned attempt has appeared."""
    found = await payments.find(attempt)
    if found is None and age_s > WATCH_S:
        await pool.execute(STOP_WATCHING, attempt.id)
    return found or Unknown("abandoned, and no such payment")


async def _refund(pool: Pool, payments: Payments, attempt: Attempt, tries: int) -> None:
    assert attempt.payment_intent is not None, "money that must go back has a payment"
    refund = await payments.refund(attempt, attempt.payment_intent, tries)
    if refund is None:
        log.warning("order %s: refund of %s not confirmed yet", attempt.order_id, attempt.payment_intent)
        return
    await in_transaction(pool, lambda connection: settle_refund(connection, attempt.id, refund))
