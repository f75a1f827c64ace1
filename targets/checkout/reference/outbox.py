"""Publishing what was recorded: each consumer does its work for an event exactly once.

One transaction takes the event (a second worker skips it), lets every consumer mark and work in one
statement, and marks the event published. A crash before the commit leaves the event as it was. Should it ever
be delivered again, the consumer's own mark makes that delivery do nothing.
"""

from targets.checkout.database import Connection

TAKE = """
select id, kind, order_id, attempt_id from outbox
where id = $1 and published_at is null
for update skip locked
"""

ONCE = """
with once as (
    insert into consumed_events (consumer, event_id) values ('{}', $1) on conflict do nothing returning 1
)
"""

CONSUMERS = {
    "order.paid": (
        ONCE.format("receipt")
        + """
        insert into emails (order_id, recipient, kind)
        select id, email, 'receipt' from orders, once where id = $2
        """,
        ONCE.format("fulfilment")
        + """
        insert into fulfilments (order_id, sku, quantity)
        select id, sku, quantity from orders, once where id = $2
        """,
    )
}

PUBLISHED = """
with published as (
    update outbox set published_at = now() where id = $1
), path as (
    insert into attempt_transitions (attempt_id, state) values ($2::uuid, 'event_published')
)
update checkout_attempts set state = 'event_published', updated_at = now() where id = $2::uuid
"""


async def publish(connection: Connection, event_id: int) -> None:
    """Publishes one event inside the caller's transaction, unless it is published or being published."""
    event = await connection.fetchrow(TAKE, event_id)
    if event is None:
        return
    for work in CONSUMERS[event["kind"]]:
        await connection.execute(work, event_id, event["order_id"])
    await connection.execute(PUBLISHED, event_id, event["attempt_id"])
