"""HTTP/1.1: framing and naming, and the few bytes that a simulated client or server writes.

Parsing is httptools' (the parser of uvicorn). A request is named by method and path, ids replaced by ``*``; a
callback may be named by a field of its JSON body instead (`callback_kind`).
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httptools

from harness.wire import Frame, WireError

Headers = Sequence[tuple[str, str]]

_ID = re.compile(r"[0-9a-f-]{16,}|.*\d.*", re.IGNORECASE)
_VERSION = re.compile(r"v\d{1,2}")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A parsed request; `target` is the path with its query, header names are lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return _header(self.headers, name)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A parsed response; header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return _header(self.headers, name)


def _header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key == name), None)


class _Reader:
    """Collects one message at a time from httptools' callbacks."""

    def __init__(self) -> None:
        self.parser: httptools.HttpRequestParser | httptools.HttpResponseParser
        self._start()

    def _start(self) -> None:
        self.raw = bytearray()
        self.target = b""
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True

    def feed(self, data: bytes) -> bool:
        """True when a message is complete; `raw` then holds its bytes."""
        self.raw += data
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            raise WireError("the HTTP connection asks for an upgrade (websocket or h2)") from upgrade
        except httptools.HttpParserError as error:
            raise WireError(f"not HTTP/1.1: {bytes(self.raw[:60])!r} ({error})") from error
        return self.complete


class RequestReader(_Reader):
    """Reads the client's direction."""

    def _start(self) -> None:
        super()._start()
        self.parser = httptools.HttpRequestParser(self)

    def next(self, data: bytes) -> HttpRequest | None:
        if not self.feed(data):
            return None
        method = self.parser.get_method().decode()  # type: ignore[union-attr]
        return HttpRequest(method, self.target.decode("latin-1"), tuple(self.headers), bytes(self.body))


class ResponseReader(_Reader):
    """Reads the server's direction; `to_head` says that the answer has headers only."""

    def __init__(self, to_head: bool = False) -> None:
        self.to_head = to_head
        super().__init__()

    def _start(self) -> None:
        super()._start()
        self.parser = httptools.HttpResponseParser(self)

    def on_headers_complete(self) -> None:
        if self.to_head:
            self.complete = True

    def next(self, data: bytes) -> HttpResponse | None:
        if not self.feed(data):
            return None
        return self._response()

    def end(self) -> HttpResponse | None:
        """The response that only the end of the connection completes, if one was begun."""
        return self._response() if self.headers else None

    def _response(self) -> HttpResponse:
        status = self.parser.get_status_code()  # type: ignore[union-attr]
        return HttpResponse(status, tuple(self.headers), bytes(self.body))


class HttpConversation:
    """Frames of one HTTP/1.1 connection, without pipelining (no client that we know of pipelines)."""

    def __init__(self, callback_kind: str | None = None) -> None:
        self._callback_kind = callback_kind
        self._requests = RequestReader()
        self._responses: ResponseReader | None = None
        self._kinds: deque[tuple[str, bool]] = deque()

    def from_client(self, data: bytes) -> list[Frame]:
        request = self._requests.next(data)
        if request is None:
            return []
        kind = self._kind(request)
        frame = Frame(kind, bytes(self._requests.raw))
        self._kinds.append((kind, request.method == "HEAD"))
        self._requests = RequestReader()
        return [frame]

    def from_server(self, data: bytes) -> list[Frame]:
        if not self._kinds:
            raise WireError(f"an HTTP answer to no request: {data[:60]!r}")
        kind, to_head = self._kinds[0]
        if self._responses is None:
            self._responses = ResponseReader(to_head)
        response = self._responses.next(data)
        if response is None:
            return []
        frame = Frame(kind, bytes(self._responses.raw), answered=False)
        self._responses = None
        if response.status >= 200:
            self._kinds.popleft()
        return [frame]

    def _kind(self, request: HttpRequest) -> str:
        if self._callback_kind:
            try:
                name = json.loads(request.body)[self._callback_kind]
            except (ValueError, KeyError, TypeError):
                name = None
            if isinstance(name, str):
                return name
        return f"{request.method} {path_kind(request.target)}"


def path_kind(target: str) -> str:
    """The path without query, ids replaced: ``/v1/refunds/re_3/cancel`` gives ``/v1/refunds/*/cancel``."""
    path = target.partition("?")[0]
    return (
        "/".join(
            "*" if _ID.fullmatch(part) and not _VERSION.fullmatch(part) else part for part in path.split("/")
        )
        or "/"
    )


def request_bytes(method: str, target: str, host: str, headers: Headers, body: bytes) -> bytes:
    """A whole request, ready for the wire."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def response_bytes(status: int, headers: Headers, body: bytes) -> bytes:
    """A whole response, ready for the wire; content-length is added unless the caller states one."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name.lower() == "content-length" for name, _ in headers) and status not in (204, 304):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
