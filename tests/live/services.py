"""Small services for the live world's own tests: plain ASGI, so that they start fast."""

import json
import os
from typing import Any

if os.environ.get("MOOD") == "broken":
    raise RuntimeError("no licence file")

counter = 0


async def app(scope: Any, receive: Any, send: Any) -> None:
    """``POST /count`` counts. In the mood ``stuck`` the start-up never ends."""
    global counter
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["method"] == "POST":
        counter += 1
    data = json.dumps({"counter": counter}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if os.environ.get("MOOD") == "stuck":
            print("waiting for the queue to come up", flush=True)
            continue
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
