"""A service with a bug that only one order of three requests shows: it imports nothing of ours.

``POST /advance/N`` moves the stage from N to N + 1, if it is at N. ``POST /noise`` does nothing, slowly enough to be
overtaken. Stage 3 must never be reached.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]

stage = 0


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    global stage
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == f"/advance/{stage}":
        stage += 1
    body = json.dumps({"stage": stage}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
