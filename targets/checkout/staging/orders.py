"""The orders table, and what follows from a paid order."""

from typing import Any

from targets.checkout.database import Connection, Pool

# An order that is not paid yet may be submitted again, with what is in the cart now.
PLACE = """
insert into orders (id, sku, quantity, amount, currency, email, status, idempotency_key)
values ($1, $2, $3, $4, $5, $6, 'pending', $7)
on conflict (id) do update
set sku = excluded.sku, quantity = excluded.quantity, amount = excluded.amount, currency = excluded.currency,
    email = excluded.email, idempotency_key = excluded.idempotency_key, updated_at = now()
where orders.status in ('pending', 'failed')
returning id
"""

SET_STATUS = "update orders set status = $2, failure_code = $3, updated_at = now() where id = $1"

PAID = """
update orders set status = 'paid', payment_intent = $2, failure_code = null, updated_at = now() where id = $1
"""

TAKE_STOCK = "update stock set available = available - $2 where sku = $1"
MOVE_STOCK = "insert into stock_movements (order_id, sku, quantity) values ($1, $2, $3)"

EMAIL = "insert into emails (order_id, recipient, kind) values ($1, $2, 'receipt')"
FULFIL = "insert into fulfilments (order_id, sku, quantity) values ($1, $2, $3)"


async def available(pool: Pool, sku: str) -> int | None:
    """How many of an article are left; None when there is no such article."""
    left: int | None = await pool.fetchval("select available from stock where sku = $1", sku)
    return left


async def find(pool: Pool, order_id: str) -> Any:
    return await pool.fetchrow("select * from orders where id = $1", order_id)


async def set_status(pool: Pool, order_id: str, status: str, failure_code: str | None = None) -> None:
    await pool.execute(SET_STATUS, order_id, status, failure_code)


async def mark_paid(pool: Pool, order_id: str, sku: str, quantity: int, payment_intent: str) -> None:
    """The order is paid and its stock is taken, together."""
    async with pool.acquire() as connection, connection.transaction():
        await take_stock(connection, order_id, sku, quantity)
        await connection.execute(PAID, order_id, payment_intent)


async def take_stock(connection: Connection, order_id: str, sku: str, quantity: int) -> None:
    await connection.execute(TAKE_STOCK, sku, quantity)
    await connection.execute(MOVE_STOCK, order_id, sku, quantity)


async def fulfil(pool: Pool, order_id: str, sku: str, quantity: int, email: str) -> None:
    """Receipt and parcel, unless the parcel is under way already."""
    if await pool.fetchval("select 1 from fulfilments where order_id = $1", order_id):
        return
    await pool.execute(EMAIL, order_id, email)
    await pool.execute(FULFIL, order_id, sku, quantity)
