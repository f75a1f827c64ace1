"""Running idempotent work on the database, once more when nobody can say whether it was committed."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from targets.checkout.database import TRANSIENT, Connection, Pool

T = TypeVar("T")

ACQUIRE_TIMEOUT_S = 3.0
TRIES = 2
PAUSE_S = 0.2


async def on_connection(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Runs ``work``, at most TRIES times and on a new connection each; ``work`` must find its own traces.

    Raises the last of database.TRANSIENT when no try got through; the outcome is then unknown.
    """
    tries = 0
    while True:
        tries += 1
        try:
            async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                return await work(connection)
        except TRANSIENT:
            if tries == TRIES:
                raise
            await asyncio.sleep(PAUSE_S * random.uniform(0.5, 1.0))


async def in_transaction(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """As ``on_connection``, with all of ``work`` in one transaction."""

    async def whole(connection: Connection) -> T:
        async with connection.transaction():
            return await work(connection)

    return await on_connection(pool, whole)
