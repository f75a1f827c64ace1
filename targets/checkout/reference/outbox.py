"""Publishing what was recorded: each consumer does its work for an event exactly once.

PUBLISH is one statement and so one transaction:

1. it takes the event, unless another worker has it or it is published;
2. each consumer marks the event as consumed, and works only if the mark is new;
3. the event is marked published. A crash before the end leaves everything as it was. Should the event ever be delivered
   again, the consumers' own marks make that delivery do nothing.
"""

from targets.checkout.database import Connection

PUBLISH = """
with event as (
    select id, order_id, attempt_id from outbox
    where id = $1 and published_at is null
    for update skip locked
), published as (
    update outbox set published_at = now() from event where outbox.id = event.id
), receipt as (
    insert into consumed_events (consumer, event_id) select 'receipt', id from event
    on conflict do nothing returning event_id
), email as (
    insert into emails (order_id, recipient, kind)
    select o.id, o.email, 'receipt'
    from receipt join event on event.id = receipt.event_id join orders o on o.id = event.order_id
), parcel as (
    insert into consumed_events (consumer, event_id) select 'fulfilment', id from event
    on conflict do nothing returning event_id
), fulfilment as (
    insert into fulfilments (order_id, sku, quantity)
    select o.id, o.sku, o.quantity
    from parcel join event on event.id = parcel.event_id join orders o on o.id = event.order_id
), path as (
    insert into attempt_transitions (attempt_id, state) select attempt_id, 'event_published' from event
)
update checkout_attempts set state = 'event_published', updated_at = now()
from event where checkout_attempts.id = event.attempt_id
"""


async def publish(connection: Connection, event_id: int) -> None:
    """Publishes one order.paid event, unless it is published or being published."""
    await connection.execute(PUBLISH, event_id)
