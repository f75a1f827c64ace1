"""Finishing attempts whose outcome is unknown, and giving money back.

An attempt is looked at when it is due: its request crashed or got no answer, it must be refunded, or it was
given up and is watched. TAKE_DUE moves its due time before anything else, so a second worker leaves it alone
and a crash only delays it. Nothing here depends on having been the only one: every call to the provider is
idempotent and every result is settled under the attempt's lock.
"""

import logging
import random
from typing import Any

from targets.checkout.database import Pool
from targets.checkout.reference.attempt import Abandoned, Report, State, Unknown
from targets.checkout.reference.payments import Attempt, Payments
from targets.checkout.reference.settlement import settle, settle_refund
from targets.checkout.reference.transactions import ACQUIRE_TIMEOUT_S, in_transaction

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 8.0
# So many answers without an outcome, and no such payment in the provider's list: the order is closed unpaid.
TRIES_BEFORE_ABANDON = 6
# The provider forgets an idempotency key after 24 hours: older attempts are looked up, never charged again.
RESUBMIT_S = 23 * 3_600
# An abandoned payment that has not appeared by then never will.
WATCH_S = 3 * 24 * 3_600

TAKE_DUE = """
update checkout_attempts a
set tries = a.tries + 1, due_at = now() + make_interval(secs => least($2 * power(2, a.tries), $3) * $4)
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
            TAKE_DUE, attempt_id, FIRST_PAUSE_S, MAX_PAUSE_S, random.uniform(0.75, 1.25)
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
        await _refund(pool, payments, attempt)
        return
    report = await _ask(payments, attempt, row)
    if isinstance(report, Unknown):
        log.info("order %s, try %s: %s", attempt.order_id, row["tries"], report.reason)
        return
    if isinstance(report, Abandoned) and row["state"] == State.PAYMENT_ABANDONED:
        if row["age_s"] > WATCH_S:
            await pool.execute(STOP_WATCHING, attempt.id)
        return
    await in_transaction(pool, lambda connection: settle(connection, attempt.id, report))


async def _ask(payments: Payments, attempt: Attempt, row: Any) -> Report:
    """The best knowledge there is. Abandoned means: no outcome, and no such payment."""
    last_try = row["tries"] >= TRIES_BEFORE_ABANDON
    if attempt.payment_intent is not None:
        report = await payments.look_up(attempt.payment_intent)
        if isinstance(report, Unknown) and report.payment_intent and last_try:
            report = await payments.cancel(attempt, report.payment_intent)
        return report
    watched = row["state"] == State.PAYMENT_ABANDONED
    if not watched and row["age_s"] < RESUBMIT_S:
        report = await payments.charge(attempt)
        if not isinstance(report, Unknown):
            return report
        if report.payment_intent is not None:
            return await payments.cancel(attempt, report.payment_intent) if last_try else report
        if not last_try:
            return report
    return await payments.find(attempt) or Abandoned()


async def _refund(pool: Pool, payments: Payments, attempt: Attempt) -> None:
    assert attempt.payment_intent is not None, "money that must go back has a payment"
    refund = await payments.refund(attempt, attempt.payment_intent)
    if refund is None:
        log.warning("order %s: refund of %s not confirmed yet", attempt.order_id, attempt.payment_intent)
        return
    await in_transaction(pool, lambda connection: settle_refund(connection, attempt.id, refund))
