"""The worker: takes provider events from the queue and finishes the orders they are about."""

import asyncio
import logging
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from targets.checkout.cache import open_redis
from targets.checkout.database import Pool, open_pool
from targets.checkout.settings import Settings
from targets.checkout.staging import correlation, orders, queue

log = logging.getLogger(__name__)

STATUS_BY_EVENT = {
    "payment_intent.processing": "processing",
    "payment_intent.payment_failed": "failed",
    "payment_intent.canceled": "failed",
}


async def main() -> None:
    """Works until cancelled."""
    settings = Settings.from_env()
    pool = await open_pool(settings.database_url)
    redis = open_redis(settings.redis_url)
    try:
        await run(pool, redis, settings.worker_poll_s)
    finally:
        await redis.aclose()
        await pool.close()


async def run(pool: Pool, redis: Redis, poll_s: float) -> None:
    """Drains the queue once per ``poll_s``; an event that the provider delivers again is skipped."""
    seen: set[str] = set()
    while True:
        try:
            while event := await queue.pop(redis):
                if event["id"] not in seen:
                    seen.add(event["id"])
                    await handle(pool, redis, event)
        except RedisError as error:
            log.warning("queue not readable: %r", error)
        except Exception:
            log.exception("event failed")
        await asyncio.sleep(poll_s)


async def handle(pool: Pool, redis: Redis, event: dict[str, Any]) -> None:
    """Brings one order in line with what the provider says about its payment."""
    kind = event["type"]
    if kind != "payment_intent.succeeded" and kind not in STATUS_BY_EVENT:
        return
    payment_intent = event["data"]["object"]["id"]
    order_id = await correlation.order_of(redis, payment_intent)
    if order_id is None:
        log.info("%s %s is about no order of ours", kind, payment_intent)
        return
    if kind in STATUS_BY_EVENT:
        await orders.set_status(pool, order_id, STATUS_BY_EVENT[kind], kind)
        return
    order = await orders.find(pool, order_id)
    if order["status"] != "paid":
        await orders.mark_paid(pool, order_id, order["sku"], order["quantity"], payment_intent)
    await orders.fulfil(pool, order_id, order["sku"], order["quantity"], order["email"])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
