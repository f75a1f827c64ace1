"""Reading an order back, the same for every build."""

import json

from targets.checkout.database import Pool
from targets.checkout.shapes import Answer, refusal

READ = """
select id as order_id, sku, quantity, amount, currency, status, failure_code as code, payment_intent
from orders where id = $1
"""


async def read_order(pool: Pool, order_id: str) -> Answer:
    """The order as PostgreSQL knows it now, or 404."""
    row = await pool.fetchrow(READ, order_id)
    if row is None:
        return refusal(404, "order_unknown", f"There is no order {order_id}.")
    return Answer(200, json.dumps(dict(row)))
