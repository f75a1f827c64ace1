"""Two processes that show what a caller observes of a link: `caller` asks `callee`, which counts what it applied.

Nothing but asyncio, so that what is observed is the link and not a library.
"""

import asyncio
import json
import os
from typing import Any

TIMEOUT_S = 5.0
applied: list[str] = []


async def callee(scope: Any, receive: Any, send: Any) -> None:
    """``POST /apply`` counts; ``GET /applied`` tells how often."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    if scope["path"] == "/apply":
        applied.append("x")
    await _answer(send, {"applied": len(applied)})


async def caller(scope: Any, receive: Any, send: Any) -> None:
    """``POST /call`` asks the callee once over a new connection and tells how that ended, and after how long."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    loop = asyncio.get_running_loop()
    started = loop.time()
    path = "/apply" if scope["path"] == "/call" else "/applied"
    result = await _ask("POST" if path == "/apply" else "GET", path)
    await _answer(send, {"result": result, "took_ms": round((loop.time() - started) * 1000)})


async def _ask(method: str, path: str) -> Any:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                os.environ["CALLEE_HOST"], int(os.environ["CALLEE_PORT"])
            )
            writer.write(f"{method} {path} HTTP/1.1\r\nhost: callee\r\ncontent-length: 0\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            writer.close()
            return json.loads(body)["applied"]
    except TimeoutError:
        return "timeout"
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except asyncio.IncompleteReadError:
        return "ended"


async def _answer(send: Any, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})
