"""Who may pay for an order: one request out of all that ask, whatever their keys and their timing.

CLAIM is one statement and so one transaction, and it decides by rows that it locks or creates:

1. requests for one order meet at its row: the second waits, then finds the order taken and claims nothing;
2. requests with one key for different orders meet at the key's row: the second fails as a whole (unique);
3. the attempt and its provider key are committed with the claim, before anybody talks to the provider;
4. when the statement's answer is lost, it is run again with the same attempt id; EXPLAIN then shows our own attempt
   under the key, so we carry on. If we crash instead, the worker finds the attempt when it is due.
"""

import time
from typing import Any

import asyncpg

from targets.checkout.database import Connection
from targets.checkout.reference.payments import Attempt
from targets.checkout.shapes import KEY_REUSED, Answer, CheckoutRequest, refusal

# The worker leaves a new attempt to the request that made it for this long: charge and settle take less.
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
select k.fingerprint, k.attempt_id, k.status_code, k.response, o.status, s.available
from (select $1::text as key, $2::text as order_id, $3::text as sku) asked
left join idempotency_keys k on k.key = asked.key
left join orders o on o.id = asked.order_id
left join stock s on s.sku = asked.sku
"""

IN_PROGRESS = refusal(
    409, "in_progress", "This purchase is still being processed; retry.", retry_after_s=RETRY_AFTER_S
)


async def claim(
    connection: Connection, key: str, request: CheckoutRequest, attempt_id: str
) -> Attempt | Answer:
    """The attempt, if this request may pay for the order; otherwise what to tell the customer."""
    provider_key = f"attempt-{attempt_id}"
    order = (request.order_id, request.sku, request.quantity, request.amount, request.currency, request.email)
    identity = (key, request.fingerprint(), attempt_id, provider_key, request.payment_method, LEASE_S)
    try:
        claimed = await connection.fetchval(CLAIM, *order, *identity)
    except asyncpg.UniqueViolationError:
        claimed = None
    if claimed is None:
        row = await connection.fetchrow(EXPLAIN, key, request.order_id, request.sku)
        assert row is not None
        if str(row["attempt_id"]) != attempt_id:
            return _refused(request, row)
    return Attempt(
        attempt_id,
        request.order_id,
        provider_key,
        request.amount,
        request.currency,
        request.payment_method,
        time.time(),
    )


def _refused(request: CheckoutRequest, row: Any) -> Answer:
    if row["fingerprint"] is not None:
        if row["fingerprint"] != request.fingerprint():
            return KEY_REUSED
        if row["response"] is not None:
            return Answer(row["status_code"], row["response"])
        return IN_PROGRESS
    if row["status"] is not None:
        text = f"Order {request.order_id} is {row['status']}; see GET /orders/{request.order_id}."
        return refusal(409, "order_exists", text)
    if row["available"] is None:
        return refusal(422, "unknown_sku", f"There is no article {request.sku}.")
    return refusal(409, "out_of_stock", f"{row['available']} of {request.sku} left.")
