"""Two processes for probing links in both worlds: `caller` uses HTTP, PostgreSQL and Redis, `callee` counts.

What a probe tells is what a service sees: the value or the class of the error of its real driver, and after how
long. Connections are made and warmed before, so that a fault hits the message and not the handshake.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import redis.asyncio as redis
from fastapi import FastAPI
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

PATIENCE_S = 1.0
applied: list[str] = []

callee = FastAPI()


@callee.post("/apply")
async def apply() -> dict[str, int]:
    applied.append("x")
    return {"applied": len(applied)}


@callee.get("/applied")
async def count() -> dict[str, int]:
    return {"applied": len(applied)}


@callee.post("/forget")
async def forget() -> dict[str, int]:
    applied.clear()
    return {"applied": 0}


class Probes:
    """One warm connection of each kind."""

    def __init__(self) -> None:
        self.http = httpx.AsyncClient(base_url=os.environ["CALLEE"], timeout=PATIENCE_S)
        self.redis = redis.Redis.from_url(
            os.environ["REDIS"],
            retry=Retry(NoBackoff(), 0),
            socket_timeout=PATIENCE_S,
            single_connection_client=True,
        )
        self.postgres: Any = None

    async def warm(self) -> None:
        self.postgres = await asyncpg.connect(
            os.environ["POSTGRES"], command_timeout=PATIENCE_S, timeout=PATIENCE_S
        )
        await self.http.post("/forget")
        await self.redis.ping()
        await self.postgres.execute("select 1")

    async def close(self) -> None:
        await self.http.aclose()
        await self.redis.aclose()
        if self.postgres is not None and not self.postgres.is_closed():
            self.postgres.terminate()


probes: Probes


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    if "probes" in globals():
        await probes.close()


caller = FastAPI(lifespan=_lifespan)


@caller.post("/warm")
async def warm() -> dict[str, str]:
    """Fresh connections for the next probe."""
    global probes
    if "probes" in globals():
        await probes.close()
    probes = Probes()
    await probes.warm()
    return {"warm": "yes"}


@caller.post("/probe/http")
async def probe_http() -> dict[str, Any]:
    async def call() -> Any:
        return (await probes.http.post("/apply")).json()["applied"]

    return await _told(call)


@caller.post("/probe/postgres")
async def probe_postgres() -> dict[str, Any]:
    async def call() -> Any:
        return await probes.postgres.execute("insert into marks default values")

    return await _told(call)


@caller.post("/probe/redis")
async def probe_redis() -> dict[str, Any]:
    async def call() -> Any:
        return await probes.redis.incr("marks")

    return await _told(call)


async def _told(call: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        result = await call()
    except Exception as error:
        result = type(error).__name__
    return {"result": result, "took_ms": round((loop.time() - started) * 1000)}


@caller.get("/applied/http")
async def applied_http() -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=os.environ["CALLEE"], timeout=PATIENCE_S) as client:
        return {"applied": (await client.get("/applied")).json()["applied"]}
