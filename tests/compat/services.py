"""Small ordinary services, one per library that the simulation must host unmodified.

Each is what its documentation shows. None of them knows that it is being simulated.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiohttp
import anyio
import asyncpg
import httpx
import redis.asyncio as redis
import stripe
from fastapi import Depends, FastAPI, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

# FastAPI, with a dependency, a plain `def` endpoint and a path parameter.

fastapi_app = FastAPI()


def current_user(request: Request) -> str:
    return request.headers.get("x-user", "nobody")


@fastapi_app.get("/hello/{name}")
def hello(name: str, user: Annotated[str, Depends(current_user)]) -> dict[str, str]:
    return {"hello": name, "user": user}


# Starlette, with lifespan state.


@asynccontextmanager
async def starlette_lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    yield {"greeting": "hello"}


async def greet(request: Any) -> JSONResponse:
    body = await request.json()
    return JSONResponse({"answer": f"{request.state.greeting} {body['name']}"})


starlette_app = Starlette(routes=[Route("/greet", greet, methods=["POST"])], lifespan=starlette_lifespan)


# asyncpg: a pool, a transaction, a prepared statement, LISTEN and NOTIFY.


@asynccontextmanager
async def asyncpg_lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as pool:
        app.state.pool = pool
        yield


asyncpg_app = FastAPI(lifespan=asyncpg_lifespan)


@asyncpg_app.post("/notes/{text}")
async def add_note(text: str, request: Request) -> dict[str, Any]:
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval("insert into notes (text) values ($1) returning id", text)
        await connection.execute("select pg_notify('notes', $1)", text)
    return {"id": number}


@asyncpg_app.get("/heard")
async def heard(request: Request) -> dict[str, Any]:
    notes: asyncio.Queue[str] = asyncio.Queue()
    async with request.app.state.pool.acquire() as connection:
        await connection.add_listener("notes", lambda *arguments: notes.put_nowait(arguments[3]))
        note = await asyncio.wait_for(notes.get(), 10)
        await connection.remove_listener("notes", lambda *arguments: None)
    return {"heard": note}


# SQLAlchemy over asyncpg.


@asynccontextmanager
async def sqlalchemy_lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine: AsyncEngine = create_async_engine("postgresql+asyncpg://" + os.environ["DATABASE_ADDRESS"])
    app.state.engine = engine
    yield
    await engine.dispose()


sqlalchemy_app = FastAPI(lifespan=sqlalchemy_lifespan)


@sqlalchemy_app.post("/notes/{content}")
async def add_note_with_sqlalchemy(content: str, request: Request) -> dict[str, Any]:
    async with request.app.state.engine.begin() as connection:
        await connection.execute(text("insert into notes (text) values (:content)"), {"content": content})
        result = await connection.execute(text("select count(*) from notes"))
        return {"count": result.scalar_one()}


# redis-py asyncio: a key with a lifetime, a pipeline, a script.


@asynccontextmanager
async def redis_lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.redis = redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    yield
    await app.state.redis.aclose()


redis_app = FastAPI(lifespan=redis_lifespan)


@redis_app.get("/lifetime")
async def lifetime(request: Request) -> dict[str, Any]:
    store = request.app.state.redis
    async with store.pipeline(transaction=True) as pipeline:
        await pipeline.set("code", "secret", ex=30).incr("visits").execute()
    doubled = await store.eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", 1, "visits", 41)
    await asyncio.sleep(29)
    before = await store.get("code")
    await asyncio.sleep(2)
    return {"before": before, "after": await store.get("code"), "visits": doubled}


# HTTP clients, each calling the FastAPI service above.


httpx_app = FastAPI()


@httpx_app.get("/ask")
async def ask_with_httpx() -> dict[str, Any]:
    async with httpx.AsyncClient(verify=False, timeout=5) as client:
        response = await client.get(os.environ["HELLO_URL"] + "/hello/httpx", headers={"x-user": "h"})
        return dict(response.json())


aiohttp_app = FastAPI()


@aiohttp_app.get("/ask")
async def ask_with_aiohttp() -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(os.environ["HELLO_URL"] + "/hello/aiohttp", headers={"x-user": "a"}) as response,
    ):
        return dict(await response.json())


# anyio: task groups, time-outs, streams and a worker thread.

anyio_app = FastAPI()


@anyio_app.get("/race")
async def race() -> dict[str, Any]:
    done: list[str] = []

    async def work(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        done.append(name)

    with anyio.move_on_after(5) as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(work, "second", 2)
            group.start_soon(work, "first", 1)
            group.start_soon(work, "never", 100)
    total = await anyio.to_thread.run_sync(sum, (1, 2, 3))
    return {"done": done, "timed_out": scope.cancelled_caught, "total": total}


# The async stripe SDK, global style and StripeClient.

stripe_app = FastAPI()


@stripe_app.post("/pay/{order}")
async def pay(order: str) -> dict[str, Any]:
    client = stripe.StripeClient(
        "sk_test_1",
        base_addresses={"api": os.environ["STRIPE_URL"]},
        http_client=stripe.HTTPXClient(verify_ssl_certs=False),
    )
    intent = await client.v1.payment_intents.create_async(
        {"amount": 4200, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True,
         "metadata": {"order_id": order},
         "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )  # fmt: skip
    return {"status": intent.status, "amount": intent.amount}
