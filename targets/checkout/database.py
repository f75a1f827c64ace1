"""The PostgreSQL pool, and which of its errors say nothing about whether a statement was applied."""

import asyncio
import logging
from typing import TypeAlias

import asyncpg

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
# Longer than any lock is held by a healthy peer; a peer that is gone loses its locks in half of it.
COMMAND_TIMEOUT_S = 6.0
IDLE_IN_TRANSACTION_MS = 3_000
START_DEADLINE_S = 60.0

# A broken connection, a time-out or a lost race: the transaction may or may not have been committed.
TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # What asyncpg says when the server's farewell arrives while a statement is being sent.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
    TimeoutError,
)

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


async def open_pool(dsn: str) -> Pool:
    """Connects, waiting up to START_DEADLINE_S for a database that is still starting."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_DEADLINE_S
    while True:
        try:
            return await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=4,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=COMMAND_TIMEOUT_S,
                # No session state is ever set, so a connection goes back to the pool as it is.
                reset=_keep_session,
                server_settings={"idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS)},
            )
        except TRANSIENT as error:
            if loop.time() >= deadline:
                raise
            log.warning("database not ready: %r", error)
            await asyncio.sleep(0.5)


async def _keep_session(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Replaces asyncpg's reset query, one round trip per use of a connection."""
