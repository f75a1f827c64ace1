"""Programs that tests host as simulated processes. Each tells what it saw by answering, or by how it ends."""

import asyncio
import os
import random
import secrets
import socket
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

finals: list[str] = []
counter = 0


async def _answer(send: Any, body: str) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


async def surroundings(scope: Any, receive: Any, send: Any) -> None:
    """Answers with everything that must be virtual and seeded."""
    if scope["type"] != "http":
        raise NotImplementedError
    await asyncio.sleep(90)
    seen = [
        datetime.now(UTC).isoformat(),
        time.time(),
        round(time.monotonic() - time.time()),
        random.random(),
        random.Random().random(),
        str(uuid.uuid4()),
        str(uuid.uuid1()),
        secrets.token_hex(4),
        os.urandom(4).hex(),
        os.environ.get("FLAVOUR"),
    ]
    await _answer(send, repr(seen))


async def memory(scope: Any, receive: Any, send: Any) -> None:
    """Counts its requests in a module global."""
    global counter
    if scope["type"] != "http":
        raise NotImplementedError
    counter += 1
    await _answer(send, str(counter))


async def holder(scope: Any, receive: Any, send: Any) -> None:
    """``/work`` waits inside a `finally`; ``/finals`` tells which of them ran."""
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/work":
        try:
            await asyncio.sleep(60)
        finally:
            finals.append("ran")
    await _answer(send, repr(finals))


async def spins() -> None:
    while True:
        await asyncio.sleep(0)


async def blocks() -> None:
    while True:
        pass


async def sleeps_for_real() -> None:
    time.sleep(1)


async def starts_a_thread() -> None:
    threading.Thread(target=print).start()


async def opens_a_socket() -> None:
    socket.create_connection(("10.1.2.3", 9092), timeout=1)


async def calls_a_stranger() -> None:
    await asyncio.open_connection("smtp.example.com", 25)


async def forks_a_child() -> None:
    await asyncio.create_subprocess_exec("true")


async def swallows_everything() -> None:
    try:
        await asyncio.open_connection("smtp.example.com", 25)
    except BaseException:
        await asyncio.sleep(3600)


def plain_main() -> None:
    asyncio.run(_plain())


async def _plain() -> None:
    await asyncio.sleep(3600)


async def ends() -> None:
    await asyncio.sleep(0.5)


async def never_ready(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def fails_to_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no configuration"})


async def sleeps_oddly(scope: Any, receive: Any, send: Any) -> None:
    """Answers after a pause that is no whole number of microseconds, as jitter makes them."""
    if scope["type"] != "http":
        raise NotImplementedError
    loop = asyncio.get_running_loop()
    started = loop.time()
    for _ in range(100):
        await asyncio.sleep(random.uniform(0.001, 0.1))
    await _answer(send, str(loop.time() > started))
