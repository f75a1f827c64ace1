"""The worker: one loop that publishes recorded events and finishes open attempts, whoever left them.

It keeps nothing in memory. Any number of workers may run; each thing to do is claimed in PostgreSQL.
"""

import asyncio
import logging

from targets.checkout.database import TRANSIENT, Pool, open_pool
from targets.checkout.provider import open_stripe
from targets.checkout.reference.outbox import publish
from targets.checkout.reference.payments import Payments
from targets.checkout.reference.reconciliation import reconcile
from targets.checkout.reference.transactions import on_connection
from targets.checkout.settings import Settings

log = logging.getLogger(__name__)

BATCH = 20

TO_DO = f"""
(select 'event' as kind, id::text from outbox where published_at is null order by id limit {BATCH})
union all
(select 'attempt', id::text from checkout_attempts where due_at <= now() order by due_at limit {BATCH})
"""


async def main() -> None:
    """Works until cancelled."""
    settings = Settings.from_env()
    pool = await open_pool(settings.database_url)
    try:
        async with open_stripe(settings) as client:
            await run(pool, Payments(client), settings.worker_poll_s)
    finally:
        await pool.close()


async def run(pool: Pool, payments: Payments, poll_s: float) -> None:
    """One pass per ``poll_s``: all that is to do now. A provider that hangs holds up each attempt, but not all."""
    while True:
        try:
            to_do = await pool.fetch(TO_DO)
        except TRANSIENT as error:
            log.warning("database: %r", error)
            to_do = []
        await asyncio.gather(*(one_thing(pool, payments, row["kind"], row["id"]) for row in to_do))
        await asyncio.sleep(poll_s)


async def one_thing(pool: Pool, payments: Payments, kind: str, id: str) -> None:
    """Does one thing; whatever goes wrong, the others are not kept waiting, and it is due again."""
    try:
        if kind == "event":
            await on_connection(pool, lambda connection: publish(connection, int(id)))
        else:
            await reconcile(pool, payments, id)
    except TRANSIENT as error:
        log.warning("%s %s: %r", kind, id, error)
    except Exception:
        log.exception("%s %s", kind, id)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
