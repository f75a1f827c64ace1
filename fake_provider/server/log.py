"""The readable log: one line for each answer and each delivery."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from json import loads

from fake_provider.actions import Attempt, Request, Respond

Write = Callable[[str], None]


def to_stderr(line: str) -> None:
    """Writes a line where logs go."""
    print(line, file=sys.stderr, flush=True)


def nowhere(_: str) -> None:
    """Writes nothing (`--quiet`)."""


def stamp(at_us: int) -> str:
    """A time of day in UTC with milliseconds."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%H:%M:%S.%f")[:-3]


def answered(at_us: int, request: Request, respond: Respond) -> str:
    """`12:00:01.250  POST /v1/payment_intents  200 pi_1 succeeded  key k-1  [slow]`."""
    parts = [stamp(at_us), f"{request.method} {request.path.partition('?')[0]}", _result(respond)]
    key = request.headers.get("idempotency-key")
    if key:
        parts.append(f"key {key}")
    if respond.response is not None and "Idempotent-Replayed" in respond.response.headers:
        parts.append("replayed")
    if respond.fired:
        parts.append(f"[{', '.join(respond.fired)}]")
    return "  ".join(parts)


def _result(respond: Respond) -> str:
    if respond.drop:
        return "connection closed without an answer"
    if respond.response is None:
        return "no answer, ever"
    shown = [str(respond.response.status)]
    try:
        body = loads(respond.response.body)
    except ValueError:
        body = {}
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        shown.append(str(body["error"].get("code") or body["error"].get("message", ""))[:80])
    elif isinstance(body, dict):
        shown.extend(str(body[name]) for name in ("id", "status") if isinstance(body.get(name), str))
    if respond.cut is not None:
        shown.append(f"cut after {respond.cut} bytes")
    return " ".join(shown)


def delivered(at_us: int, attempt: Attempt, outcome: str) -> str:
    """`12:00:01.300  payment_intent.succeeded evt_3  -> http://shop/hooks  200  attempt 2`."""
    parts = [stamp(at_us), f"{attempt.event_type} {attempt.event_id}", f"-> {attempt.url}", outcome]
    if attempt.number > 1:
        parts.append(f"attempt {attempt.number}")
    return "  ".join(parts)
