"""The one transaction that turns news about a payment into a paid, failed or refunded order.

The provider's answer, a webhook and the worker's reconciliation all end here, in any order, any number of times:

1. the attempt, its order and its idempotency key are locked in one statement, so news about one order queue up;
2. ``decide`` compares the news with the state found under the lock; what is old or repeated changes nothing;
3. stock, order, attempt, outbox event and the customer's final answer are written together, or not at all;
4. when the commit's own answer is lost, running the transaction again finds the work done (2) or does it;
5. a process that dies or hangs inside loses its session, its locks and its work; the attempt is still due.

A webhook's event id is inserted first in the same transaction: a crash before the commit forgets the event as well as
its work, and the provider delivers it again. Locks are always taken in the order attempt, order, key, stock.
"""

import logging
from dataclasses import dataclass
from typing import Any

from targets.checkout.database import Connection
from targets.checkout.reference.attempt import (
    ORDER_TAKEN,
    Abandoned,
    Declined,
    Paid,
    Report,
    State,
    Step,
    check_path,
    decide,
)
from targets.checkout.shapes import Answer, order_answer

log = logging.getLogger(__name__)

# How soon the worker looks again at an attempt that it gave up on: its money may still appear.
WATCH_S = 8.0

LOCK = """
select a.state, a.failure_code, o.id as order_id, o.sku, o.quantity, o.amount, o.currency, o.status,
       k.key, k.status_code, k.response
from checkout_attempts a
join orders o on o.id = a.order_id
join idempotency_keys k on k.key = a.idempotency_key
where a.id = $1
for update
"""

RESERVE = """
with reserved as (
    update stock set available = available - $2 where sku = $1 and available >= $2 returning sku
)
insert into stock_movements (order_id, sku, quantity) select $3::text, sku, $2 from reserved returning id
"""

# One statement for what belongs together, because every round trip is made under the lock.
RECORD = """
with order_row as (
    update orders set status = $2, failure_code = $3, payment_intent = $4, updated_at = now()
    where id = $1 and $2::text is not null
), key_row as (
    update idempotency_keys set status_code = $6, response = $7 where key = $5 and $6::int is not null
), path as (
    insert into attempt_transitions (attempt_id, state) select $8::uuid, unnest($9::text[])
), event as (
    insert into outbox (kind, order_id, attempt_id) select $10::text, $1, $8::uuid where $10::text is not null
)
update checkout_attempts
set state = $11, payment_intent = coalesce($4, payment_intent), failure_code = $3, refund = $12, tries = 0,
    due_at = now() + make_interval(secs => $13), updated_at = now()
where id = $8::uuid
"""

SEEN = """
insert into processed_events (event_id, kind) values ($1, $2) on conflict do nothing returning event_id
"""


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook's identity: the same event is worked on once."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Change:
    """What RECORD writes. ``status``: the order's; None leaves the order alone. ``due_s``: seconds until the
    worker looks at the attempt again; None for never."""

    path: tuple[State, ...]
    status: str | None = None
    failure_code: str | None = None
    payment_intent: str | None = None
    answer: Answer | None = None
    event: str | None = None
    refund: str | None = None
    due_s: float | None = None


async def settle(
    connection: Connection, attempt_id: str, report: Report, event: Event | None = None
) -> Answer | None:
    """Applies ``report`` in the caller's transaction; the customer's final answer, or None before it."""
    if event and await connection.fetchval(SEEN, event.id, event.kind) is None:
        return None
    row = await connection.fetchrow(LOCK, attempt_id)
    if row is None:
        log.warning("no attempt %s: %r is not about an order of ours", attempt_id, report)
        return None
    answered = None if row["response"] is None else Answer(row["status_code"], row["response"])
    step = decide(State(row["state"]), row["amount"], row["currency"], report)
    if step is Step.NOTHING:
        return answered
    change = await _change(connection, row, step, report)
    await _record(connection, attempt_id, row, change)
    return change.answer or answered


async def settle_refund(connection: Connection, attempt_id: str, refund: str) -> None:
    """The money of an attempt went back; an order that waited for this becomes refunded."""
    row = await connection.fetchrow(LOCK, attempt_id)
    if row is None or row["state"] != State.COMPENSATION_REQUIRED:
        return
    code, path = row["failure_code"], (State.COMPENSATION_COMPLETE,)
    if row["status"] != "processing":
        # The order was closed without this money: it failed before, or another attempt has paid for it.
        await _record(connection, attempt_id, row, _Change(path, failure_code=code, refund=refund))
        return
    answer = order_answer(402, row["order_id"], "refunded", code=code)
    change = _Change(path, "refunded", code, answer=answer, refund=refund)
    await _record(connection, attempt_id, row, change)


async def _change(connection: Connection, row: Any, step: Step, report: Report) -> _Change:
    order_id = row["order_id"]
    match report:
        case Paid(payment_intent=intent) if step is Step.TAKE_ORDER:
            if await connection.fetchval(RESERVE, row["sku"], row["quantity"], order_id) is None:
                return _compensation(row, intent, "out_of_stock")
            answer = order_answer(201, order_id, "paid", payment_intent=intent)
            return _Change(ORDER_TAKEN, "paid", None, intent, answer, "order.paid")
        case Paid(payment_intent=intent):
            return _compensation(row, intent, "amount_mismatch")
        case Declined(code=code, payment_intent=intent):
            answer = order_answer(402, order_id, "failed", code=code)
            return _Change((State.PAYMENT_DECLINED,), "failed", code, intent, answer)
        case Abandoned(code=code):
            answer = order_answer(402, order_id, "failed", code=code)
            return _Change((State.PAYMENT_ABANDONED,), "failed", code, None, answer, due_s=WATCH_S)
    raise AssertionError(f"{report!r} asks for no change")


def _compensation(row: Any, intent: str, code: str) -> _Change:
    """The money goes back. The customer's answer waits for it, unless he was told that the payment failed."""
    if row["state"] != State.ATTEMPT_CREATED:
        return _Change((State.COMPENSATION_REQUIRED,), None, row["failure_code"], intent, due_s=0.0)
    path = (State.PAYMENT_AUTHORIZED, State.COMPENSATION_REQUIRED)
    return _Change(path, "processing", code, intent, due_s=0.0)


async def _record(connection: Connection, attempt_id: str, row: Any, change: _Change) -> None:
    check_path(State(row["state"]), change.path)
    answer = change.answer
    await connection.execute(
        RECORD,
        row["order_id"],
        change.status,
        change.failure_code,
        change.payment_intent,
        row["key"],
        answer.status_code if answer else None,
        answer.body if answer else None,
        attempt_id,
        change.path,
        change.event,
        change.path[-1],
        change.refund,
        change.due_s,
    )
    log.info("order %s: %s", row["order_id"], " > ".join(change.path))
