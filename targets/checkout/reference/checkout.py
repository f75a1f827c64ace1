"""Placing an order: claim, charge, settle.

1. CLAIM commits, in one statement, the idempotency key, the order and the attempt with the provider key. Of
   any number of requests, with one key or several, for one order, one gets the attempt; the others get an
   answer from EXPLAIN. Crash before it: nothing happened. Crash after it, or its answer lost: the worker
   finds the attempt at ``due_at``.
2. The provider is asked to charge under the attempt's own key (payments.py). Crash before, during or after:
   the attempt is still attempt_created, and the worker asks again under the same key.
3. The report is settled (settlement.py). A crash or a lost commit leaves the attempt where it was, or done.
4. Without an outcome the customer is told 202 "processing", the attempt is handed to the worker at once, and
   a retry with the same key gets the final answer as soon as there is one.
"""

import logging
import time
import uuid

import asyncpg

from targets.checkout.database import TRANSIENT, Pool
from targets.checkout.reference.answers import AnswerCache
from targets.checkout.reference.attempt import Unknown
from targets.checkout.reference.payments import Attempt, Payments
from targets.checkout.reference.settlement import settle
from targets.checkout.reference.transactions import ACQUIRE_TIMEOUT_S, in_transaction
from targets.checkout.shapes import KEY_REUSED, Answer, CheckoutRequest, order_answer, refusal

log = logging.getLogger(__name__)

# The worker leaves a new attempt to the request that made it for this long: submit and settle take less.
LEASE_S = 10.0
RETRY_AFTER_S = 1

# An order is payable when it is new, or when its last payment was declined and the customer tries again with
# the same contents. A payment that was never resolved closes the order: its money may still appear.
CLAIM = """
with placed as (
    insert into orders (id, sku, quantity, amount, currency, email, status, idempotency_key)
    select $1, sku, $3, $4, $5, $6, 'processing', $7
    from stock
    where sku = $2 and available >= $3 and not exists (select from idempotency_keys where key = $7)
    on conflict (id) do update
    set status = 'processing', failure_code = null, payment_intent = null, idempotency_key = $7,
        updated_at = now()
    where orders.status = 'failed' and orders.failure_code <> 'payment_unresolved'
      and (orders.sku, orders.quantity, orders.amount, orders.currency, orders.email) = ($2, $3, $4, $5, $6)
    returning id
), claimed as (
    insert into idempotency_keys (key, fingerprint, order_id, attempt_id)
    select $7, $8, id, $9::uuid from placed
), path as (
    insert into attempt_transitions (attempt_id, state) select $9::uuid, 'attempt_created' from placed
)
insert into checkout_attempts (id, order_id, idempotency_key, provider_key, payment_method, state, due_at)
select $9::uuid, id, $7, $10, $11, 'attempt_created', now() + make_interval(secs => $12) from placed
returning id
"""

EXPLAIN = """
select k.fingerprint, k.status_code, k.response, o.status, s.available
from (select $1::text as key, $2::text as order_id, $3::text as sku) asked
left join idempotency_keys k on k.key = asked.key
left join orders o on o.id = asked.order_id
left join stock s on s.sku = asked.sku
"""

HAND_OVER = """
with handed as (
    update checkout_attempts set due_at = now(), updated_at = now()
    where id = $1 and state = 'attempt_created'
)
select status_code, response from idempotency_keys where attempt_id = $1
"""

UNAVAILABLE = refusal(
    503,
    "try_again",
    "Nothing is known about this order; retry with the same Idempotency-Key.",
    retry_after_s=RETRY_AFTER_S,
)
IN_PROGRESS = refusal(
    409, "in_progress", "This purchase is still being processed; retry.", retry_after_s=RETRY_AFTER_S
)


class Checkout:
    """The use case of POST /checkout."""

    def __init__(self, pool: Pool, payments: Payments, answers: AnswerCache) -> None:
        self._pool = pool
        self._payments = payments
        self._answers = answers

    async def place(self, key: str, request: CheckoutRequest) -> Answer:
        """Buys at most once per key and per order; always answers."""
        fingerprint = request.fingerprint()
        cached = await self._answers.get(key, fingerprint)
        if cached:
            return cached
        try:
            attempt = await self._claim(key, fingerprint, request)
            if attempt is None:
                answer = await self._explain(key, fingerprint, request)
            else:
                answer = await self._pay(attempt)
        except TRANSIENT as error:
            log.warning("order %s: %r", request.order_id, error)
            return UNAVAILABLE
        if answer.status_code in (201, 402):
            await self._answers.put(key, fingerprint, answer)
        return answer

    async def _claim(self, key: str, fingerprint: str, request: CheckoutRequest) -> Attempt | None:
        attempt_id = str(uuid.uuid4())
        provider_key = f"attempt-{attempt_id}"
        try:
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                claimed = await connection.fetchval(
                    CLAIM,
                    request.order_id,
                    request.sku,
                    request.quantity,
                    request.amount,
                    request.currency,
                    request.email,
                    key,
                    fingerprint,
                    attempt_id,
                    provider_key,
                    request.payment_method,
                    LEASE_S,
                )
        except asyncpg.UniqueViolationError:
            # The same key, at the same moment, for another order: that request was first.
            return None
        if claimed is None:
            return None
        return Attempt(
            attempt_id,
            request.order_id,
            provider_key,
            request.amount,
            request.currency,
            request.payment_method,
            time.time(),
        )

    async def _pay(self, attempt: Attempt) -> Answer:
        report = await self._payments.submit(attempt)
        processing = order_answer(202, attempt.order_id, "processing")
        try:
            if isinstance(report, Unknown):
                log.warning("order %s: payment outcome unknown: %s", attempt.order_id, report.reason)
                return await self._hand_over(attempt) or processing
            answer = await in_transaction(self._pool, lambda c: settle(c, attempt.id, report))
        except TRANSIENT as error:
            # The claim is committed, so the worker will finish this order whatever happened here.
            log.warning("order %s: left to the worker: %r", attempt.order_id, error)
            return processing
        return answer or processing

    async def _hand_over(self, attempt: Attempt) -> Answer | None:
        """Lets the worker go on at once; the final answer if a webhook was faster."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            row = await connection.fetchrow(HAND_OVER, attempt.id)
        return None if row is None or row["response"] is None else Answer(row["status_code"], row["response"])

    async def _explain(self, key: str, fingerprint: str, request: CheckoutRequest) -> Answer:
        """Why the claim was not ours."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            row = await connection.fetchrow(EXPLAIN, key, request.order_id, request.sku)
        assert row is not None
        if row["fingerprint"] is not None:
            if row["fingerprint"] != fingerprint:
                return KEY_REUSED
            if row["response"] is not None:
                return Answer(row["status_code"], row["response"])
            return IN_PROGRESS
        if row["status"] is not None:
            return refusal(
                409, "order_exists", f"Order {request.order_id} is {row['status']}; see GET /orders."
            )
        if row["available"] is None:
            return refusal(422, "unknown_sku", f"There is no article {request.sku}.")
        return refusal(409, "out_of_stock", f"{row['available']} of {request.sku} left.")
