"""Which order a payment is for: ``corr:<payment intent>`` in Redis, written by the API for the worker."""

from redis.asyncio import Redis

# Provider events arrive within a second or two of the payment.
KEEP_S = 15


async def remember(redis: Redis, payment_intent: str, order_id: str) -> None:
    await redis.set(f"corr:{payment_intent}", order_id, ex=KEEP_S)


async def order_of(redis: Redis, payment_intent: str) -> str | None:
    order_id = await redis.get(f"corr:{payment_intent}")
    return None if order_id is None else str(order_id)
