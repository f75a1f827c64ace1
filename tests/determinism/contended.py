"""A service made to contend: transfers lock two accounts in the order given, so that opposite ones deadlock."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

SCHEMA = """
create table accounts (id int primary key, balance int not null);
insert into accounts select number, 100 from generate_series(1, 4) as number;
create table transfers (
    id bigint generated always as identity primary key, source int, target int, at timestamptz default now()
);
"""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=6) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)

LOCK = "select balance from accounts where id = $1 for update"
MOVE = "update accounts set balance = balance + $2 where id = $1"


@app.post("/transfer/{source}/{target}")
async def transfer(source: int, target: int, request: Request) -> Any:
    """Moves 1 from one account to the other, locking them one after the other."""
    try:
        async with request.app.state.pool.acquire() as connection, connection.transaction():
            await connection.fetchval(LOCK, source)
            await connection.execute(MOVE, source, -1)
            await connection.fetchval(LOCK, target)
            await connection.execute(MOVE, target, 1)
            await connection.execute("insert into transfers (source, target) values ($1, $2)", source, target)
    except asyncpg.DeadlockDetectedError:
        return JSONResponse({"result": "deadlock"}, 409)
    return {"result": "moved"}


@app.post("/serial/{account}")
async def serial(account: int, request: Request) -> Any:
    """Reads and writes under serializable isolation; a loser is told so."""
    try:
        async with (
            request.app.state.pool.acquire() as connection,
            connection.transaction(isolation="serializable"),
        ):
            balance = await connection.fetchval("select balance from accounts where id = $1", account)
            await asyncio.sleep(0.002)
            await connection.execute("update accounts set balance = $2 where id = $1", account, balance + 1)
    except asyncpg.SerializationError:
        return JSONResponse({"result": "serialization failure"}, 409)
    return {"result": "added"}
