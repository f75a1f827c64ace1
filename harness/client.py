"""Customers: HTTP clients whose operations end `ok`, `fail` or `unknown`, the same in both worlds."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.wire.http import HttpRequest, HttpResponse

OutcomeKind = Literal["ok", "fail", "unknown"]

TIMEOUT_US = 30_000_000
"""How long a customer waits for an answer unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one client operation ended.

    kind: ``ok`` for 2xx and 3xx, ``fail`` for 4xx (definite), ``unknown`` for no answer in time, a broken
    connection, and 5xx: it may or may not have been applied. started_us, ended_us: since the start of the run.
    """

    client: str
    method: str
    path: str
    kind: OutcomeKind
    status: int | None
    body: Any
    sent: Any
    headers: Mapping[str, str]
    started_us: int
    ended_us: int


Request = Callable[[str, HttpRequest, int], Awaitable[HttpResponse | None]]
"""(client node, request, time-out in microseconds) to the response, or None when none came."""


class Client:
    """One customer. `node` is its name in message names."""

    def __init__(
        self, node: str, request: Request, now_us: Callable[[], int], on_outcome: Callable[[Outcome], None]
    ) -> None:
        self.node = node
        self._request = request
        self._now_us = now_us
        self._on_outcome = on_outcome

    async def get(self, path: str, **options: Any) -> Outcome:
        return await self.send("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Outcome:
        return await self.send("POST", path, **options)

    async def put(self, path: str, **options: Any) -> Outcome:
        return await self.send("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> Outcome:
        return await self.send("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> Outcome:
        return await self.send("DELETE", path, **options)

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_us: int = TIMEOUT_US,
    ) -> Outcome:
        """Sends one request and waits for its answer, at most `timeout_us`. Never raises for what the target does."""
        started_us = self._now_us()
        sent_headers = {name.lower(): value for name, value in (headers or {}).items()}
        body = b""
        if json is not None:
            body = _dump(json)
            sent_headers.setdefault("content-type", "application/json")
        request = HttpRequest(method, path, tuple(sent_headers.items()), body)
        response = await self._request(self.node, request, timeout_us)
        outcome = Outcome(
            self.node,
            method,
            path,
            _kind(response),
            response.status if response else None,
            _body(response) if response else None,
            json,
            sent_headers,
            started_us,
            self._now_us(),
        )
        self._on_outcome(outcome)
        return outcome


def _kind(response: HttpResponse | None) -> OutcomeKind:
    if response is None or response.status >= 500:
        return "unknown"
    return "ok" if response.status < 400 else "fail"


def _body(response: HttpResponse) -> Any:
    try:
        return json.loads(response.body)
    except ValueError:
        return response.body.decode("utf-8", "replace")


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
