"""An ASGI server for guest processes: HTTP/1.1 and lifespan, the part of uvicorn that a service can see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from harness.errors import HarnessError
from harness.sim.connection import Connection
from harness.wire import Frame
from harness.wire.http import HttpRequest, RequestReader, response_bytes

if TYPE_CHECKING:
    from harness.sim.loop import GuestLoop

_BODILESS = (204, 304)


class Lifespan:
    """Runs an application's start-up. `failed` is the reason when it did not start."""

    def __init__(self, app: Any, state: dict[str, Any], done: Callable[[str | None], None]) -> None:
        self._app = app
        self._state = state
        self._done = done
        self._answered = False
        self._asked = False

    async def run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:
            # By the ASGI specification an application that does not know lifespan may raise here.
            self._answer(
                f"{type(error).__name__}: {error}" if self._asked and not self._supports(error) else None
            )
        else:
            self._answer(None)

    @staticmethod
    def _supports(error: Exception) -> bool:
        return isinstance(error, AssertionError | KeyError | NotImplementedError)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await asyncio.get_running_loop().create_future()
        raise HarnessError("a lifespan was told to shut down; the simulation only cuts power")

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._answer(None)
        elif message["type"] == "lifespan.startup.failed":
            self._answer(message.get("message") or "start-up failed")

    def _answer(self, failure: str | None) -> None:
        if not self._answered:
            self._answered = True
            self._done(failure)


class AsgiConnection:
    """The server's end of one connection to an ASGI process: one request at a time, keep-alive."""

    def __init__(self, loop: GuestLoop, app: Any, state: dict[str, Any], connection: Connection) -> None:
        self._loop = loop
        self._app = app
        self._state = state
        self._connection = connection
        self._reader = RequestReader()
        self._gone = loop.create_future()

    def opened(self) -> None: ...

    def received(self, data: bytes, frame: Frame | None) -> None:
        request = self._reader.next(data)
        if request is not None:
            self._reader = RequestReader()
            exchange = AsgiExchange(request, self._state, self._gone, self._reply)
            self._loop.enter(self._start, exchange)

    def ended(self, reset: bool) -> None:
        self._loop.enter(self._leave)
        self._connection.close(from_client=False)

    def _leave(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    def _start(self, exchange: AsgiExchange) -> None:
        self._loop.create_task(exchange.run(self._app))

    def _reply(self, data: bytes) -> None:
        if not self._loop.is_dead and self._connection.pending:
            self._connection.send_reply(Frame(self._connection.pending[0].kind, data, answered=False))


class AsgiExchange:
    """One request and its response, which leaves as one message when the application has finished it."""

    def __init__(
        self,
        request: HttpRequest,
        state: dict[str, Any],
        gone: asyncio.Future[Any],
        reply: Callable[[bytes], None],
    ) -> None:
        self._request = request
        self._state = state
        self._gone = gone
        self._reply = reply
        self._body_given = False
        self._status = 500
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self._started = False
        self._finished = False

    async def run(self, app: Any) -> None:
        """Any error of the application becomes a 500, as every ASGI server answers."""
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception as error:
            if not self._finished:
                self._finished = True
                self._reply(response_bytes(500, [("content-type", "text/plain")], b"Internal Server Error"))
            context = {"message": f"{self._request.method} {self._request.target}", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    def _scope(self) -> dict[str, Any]:
        request = self._request
        path, _, query = request.target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
            "client": ("10.0.0.1", 40_000),
            "server": (request.header("host") or "service", 80),
            "state": dict(self._state),
            "extensions": {},
        }

    async def _receive(self) -> dict[str, Any]:
        if not self._body_given:
            self._body_given = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        if not self._finished:
            await asyncio.shield(self._gone)
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self._status = message["status"]
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            ]
        elif message["type"] == "http.response.body" and self._started and not self._finished:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                self._finished = True
                body = (
                    b"" if self._status in _BODILESS or self._request.method == "HEAD" else bytes(self._body)
                )
                self._reply(response_bytes(self._status, self._headers, body))
