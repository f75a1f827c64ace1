"""The canary's service: an ASGI application that counts orders, and counts one again that is only sent again.

It is hosted by the simulated world like any other target, and like any other it imports nothing of ours.
"""

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

counted = 0


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """POST counts an order, GET tells how many."""
    global counted
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    while (await receive()).get("more_body"):
        pass
    if scope["method"] == "POST":
        counted += 1
    body = f'{{"counted":{counted}}}'.encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
