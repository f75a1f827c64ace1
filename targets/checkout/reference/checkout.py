"""Placing an order: claim, charge, settle. Any process may die at any point, any answer may be lost.

1. The claim (claim.py) commits key, order and attempt together. Crash before it: nothing happened. Crash after it:
   the attempt is open, and the worker finds it when its lease is over.
2. The provider is asked to charge under the attempt's own key (payments.py). Crash before, during or after: the
   attempt is still open; the worker searches for the charge and, if there is none, asks again under the same key.
3. The outcome is settled (settlement.py): the order is paid or failed and the answer stored, or nothing changed.
   A webhook or the worker may have settled it before; then their stored answer is ours.
4. Without an outcome the customer is told 202 "processing", the attempt is due for the worker at once, and a retry
   with the same key gets the final answer as soon as there is one.
5. The answer is cached only now. Crash before or after: a retry reads it from PostgreSQL.
"""

import logging
import uuid

from targets.checkout.database import TRANSIENT, Connection, Pool
from targets.checkout.reference.answers import AnswerCache
from targets.checkout.reference.attempt import Outcome, Unknown
from targets.checkout.reference.claim import RETRY_AFTER_S, claim
from targets.checkout.reference.payments import Attempt, Payments
from targets.checkout.reference.settlement import settle
from targets.checkout.reference.transactions import in_transaction, on_connection
from targets.checkout.shapes import FINAL, Answer, CheckoutRequest, order_answer, refusal

log = logging.getLogger(__name__)

HAND_OVER = """
with handed as (
    update checkout_attempts set due_at = now(), updated_at = now()
    where id = $1 and state = 'attempt_created'
)
select k.status_code, k.response
from checkout_attempts a join idempotency_keys k on k.key = a.idempotency_key
where a.id = $1
"""

UNAVAILABLE = refusal(
    503,
    "try_again",
    "The database did not answer; retry with the same Idempotency-Key.",
    retry_after_s=RETRY_AFTER_S,
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
        attempt_id = str(uuid.uuid4())
        try:
            found = await on_connection(self._pool, lambda c: claim(c, key, request, attempt_id))
        except TRANSIENT as error:
            log.warning("order %s: not claimed: %r", request.order_id, error)
            return UNAVAILABLE
        answer = await self._pay(found) if isinstance(found, Attempt) else found
        if answer.status_code in FINAL:
            await self._answers.put(key, fingerprint, answer)
        return answer

    async def _pay(self, attempt: Attempt) -> Answer:
        outcome = await self._payments.submit(attempt)
        try:
            answer = await self._settle(attempt, outcome)
        except TRANSIENT as error:
            # The claim is committed, so the worker will finish this order whatever happened here.
            log.warning("order %s: left to the worker: %r", attempt.order_id, error)
            answer = None
        return answer or order_answer(202, attempt.order_id, "processing")

    async def _settle(self, attempt: Attempt, outcome: Outcome) -> Answer | None:
        if not isinstance(outcome, Unknown):
            return await in_transaction(self._pool, lambda c: settle(c, attempt.id, outcome))
        log.warning("order %s: payment outcome unknown: %s", attempt.order_id, outcome.reason)
        return await on_connection(self._pool, lambda c: _hand_over(c, attempt))


async def _hand_over(connection: Connection, attempt: Attempt) -> Answer | None:
    """Lets the worker go on at once; the final answer if somebody was faster."""
    row = await connection.fetchrow(HAND_OVER, attempt.id)
    return None if row is None or row["response"] is None else Answer(row["status_code"], row["response"])
