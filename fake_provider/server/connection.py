"""One client connection: HTTP/1.1 requests in, answers out, everything bounded.

httptools parses. Requests of one connection are worked on one after the other; while one is, or while the
client does not read its answers, nothing more is read. So a client costs at most one request and one answer of
memory.
"""

import asyncio
from collections import deque
from typing import Protocol

import httptools

from fake_provider.actions import Request, Respond, Response
from fake_provider.answers import of_error
from fake_provider.errors import ApiError

MAX_HEAD = 64 * 1024
MAX_BODY = 1024 * 1024
MAX_QUEUED = 16
LINGER_S = 2.0
REASONS = {
    200: "OK",
    303: "See Other",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Handler(Protocol):
    """What a connection hands its requests to."""

    def opened(self, connection: "Connection") -> bool:
        """Whether there is room for one more connection."""

    def closed(self, connection: "Connection") -> None:
        """The connection is gone; answers to it are in vain."""

    def mark(self) -> str:
        """A name for the next request, which its answer will carry."""

    def handle(self, connection: "Connection", request: Request) -> None:
        """Works on a request; `connection.respond` is called once, now or later or never."""

    def seconds(self) -> float:
        """A monotonic clock, in seconds."""


class Connection(asyncio.Protocol):
    """One socket. `deadline`: when the rest of a request must have come, or None while nothing is awaited."""

    def __init__(self, handler: Handler, idle_s: float, request_s: float) -> None:
        self._handler = handler
        self._idle_s = idle_s
        self._request_s = request_s
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[Request, bool]] = deque()
        self._busy = False
        self._choked = False
        self._last = False
        self._working = False
        self._begun = False
        self._draining = False
        self._bodiless = False
        self._transport: asyncio.Transport | None = None
        self.deadline: float | None = None
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_size = 0
        self._body_size = 0
        self._in_head = True

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.deadline = self._handler.seconds() + self._idle_s
        if not self._handler.opened(self):
            self._refuse(ApiError(503, "Too many connections at once.", kind="api_error"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._queue.clear()
        self._handler.closed(self)

    def data_received(self, data: bytes) -> None:
        if self._last or self._transport is None:
            return
        if self._in_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except ApiError as error:
            self._refuse(error)
        except httptools.HttpParserUpgrade:
            self._refuse(ApiError(400, "This server speaks HTTP/1.1 only."))
        except httptools.HttpParserError as problem:
            cause = problem.__context__
            self._refuse(
                cause
                if isinstance(cause, ApiError)
                else ApiError(400, "Invalid request: this is not HTTP/1.1.")
            )
        else:
            if self._in_head and self._head_size > MAX_HEAD:
                self._refuse(ApiError(431, f"The request headers have more than {MAX_HEAD} bytes."))
            self._work()

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        self._work()

    # httptools calls these.

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size > MAX_BODY:
            raise ApiError(413, f"The request body has more than {MAX_BODY} bytes.")
        self._body.append(body)

    def on_message_complete(self) -> None:
        if len(self._queue) >= MAX_QUEUED:
            raise ApiError(
                429, f"More than {MAX_QUEUED} requests are waiting on this connection.", code="rate_limit"
            )
        method = self._parser.get_method().decode("latin-1")
        url, body = self._url.decode("latin-1"), b"".join(self._body)
        request = Request(method, url, self._headers, body, self._handler.mark())
        self._queue.append((request, self._parser.should_keep_alive()))
        self._begin()

    # One request at a time.

    def _work(self) -> None:
        """Takes the next request, and reads on or not."""
        transport = self._transport
        if transport is None:
            return
        self._working = True
        while self._queue and not self._busy and not self._choked:
            request, keep_alive = self._queue.popleft()
            self._busy, self._last = True, not keep_alive
            self._bodiless = request.method == "HEAD"
            self.deadline = None
            self._handler.handle(self, request)
        self._working = False
        if self._last:
            return
        if self._busy or self._choked:
            transport.pause_reading()
        elif not transport.is_closing():
            transport.resume_reading()
            self._await_request()

    def _await_request(self) -> None:
        """Sets the deadline: for a whole request once its first byte came, else for that first byte."""
        begun = self._head_size > 0
        if begun != self._begun or self.deadline is None:
            self.deadline = self._handler.seconds() + (self._request_s if begun else self._idle_s)
            self._begun = begun

    def respond(self, respond: Respond) -> None:
        """Gives the answer of the request in work, or does to the connection what was ordered instead."""
        transport = self._transport
        if transport is None:
            return
        if respond.drop:
            transport.abort()
        elif respond.response is None:
            self._last = True  # hangs until the client gives up, which only shows while reading goes on
            transport.resume_reading()
        else:
            head, body = encoded(respond.response, close=self._last or respond.cut is not None)
            body = b"" if self._bodiless else body
            transport.write(head + (body if respond.cut is None else body[: respond.cut]))
            self._busy = False
            if self._last or respond.cut is not None:
                transport.close()
            elif not self._working:
                self._work()

    def expire(self) -> None:
        """The client was too slow: says so in the middle of a request, else just closes."""
        if self._draining:
            self.abort()
        elif self._head_size or not self._in_head:
            self._refuse(ApiError(408, "The request did not arrive in time."))
        elif self._transport is not None:
            self._transport.close()

    def close(self) -> None:
        """Closes when what is being answered is answered; at once when nothing is."""
        self._last = True
        if not self._busy and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes now."""
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, error: ApiError) -> None:
        """Answers what cannot be read as a request, and ends."""
        self._last = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(encoded(of_error(error, "req_none"), close=True)))
            # Closing with unread bytes would reset the connection and take the answer with it: let the client finish.
            self._transport.write_eof()
            self._transport.resume_reading()
            self._draining = True
            self.deadline = self._handler.seconds() + LINGER_S


def encoded(response: Response, *, close: bool) -> tuple[bytes, bytes]:
    """An answer's head and body as they go over the wire."""
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}"]
    headers = response.headers
    if "Content-Type" not in headers:
        lines.append("Content-Type: application/json")
    lines.extend(f"{name}: {value}" for name, value in headers.items())
    lines.append(f"Content-Length: {len(response.body)}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"), response.body
