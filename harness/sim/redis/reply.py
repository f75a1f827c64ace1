"""Turns what a command returns into RESP2 or RESP3 bytes.

A command returns bytes (a bulk string), int, float, None, list, dict, `SimpleString`, `SimpleError`, or one of the
types below.
"""

import math
from dataclasses import dataclass
from typing import Any

from harness.sim.redis.borrowed import SimpleError, SimpleString

OK = SimpleString(b"OK")
QUEUED = SimpleString(b"QUEUED")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Bytes that are already RESP."""

    data: bytes


class Verbatim(bytes):
    """A text for people to read, which RESP3 marks as such."""


class Elements(list[Any]):
    """A list that RESP3 sends as a set."""


class Push(list[Any]):
    """A list that RESP3 sends as a push."""


class _Sign:
    """A value that is only itself."""


NO_LIST = _Sign()
"""A list that is not there, which RESP2 tells from a string that is not there (None)."""

LATER = _Sign()
"""The command is parked; its session gets the answer some other time."""


def encode(value: Any, resp: int) -> bytes:
    """`value` in RESP version `resp`."""
    if value is None:
        return b"_\r\n" if resp == 3 else b"$-1\r\n"
    if isinstance(value, Verbatim) and resp == 3:
        return b"=%d\r\ntxt:%s\r\n" % (len(value) + 4, value)
    if isinstance(value, bytes):
        return b"$%d\r\n%s\r\n" % (len(value), value)
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, SimpleString):
        return b"+" + value.value + b"\r\n"
    if isinstance(value, SimpleError):
        return error_line(value)
    if isinstance(value, Encoded):
        return value.data
    if value is NO_LIST:
        return b"_\r\n" if resp == 3 else b"*-1\r\n"
    if isinstance(value, float):
        text = float_text(value)
        return b"," + text + b"\r\n" if resp == 3 else b"$%d\r\n%s\r\n" % (len(text), text)
    if isinstance(value, str):
        return encode(value.encode(), resp)
    if isinstance(value, dict):
        pairs = [item for pair in value.items() for item in pair]
        return b"".join(
            [(b"%%%d\r\n" if resp == 3 else b"*%d\r\n") % _count(value, pairs, resp), *_all(pairs, resp)]
        )
    if isinstance(value, list | tuple):
        return b"".join([_list_mark(value, resp), b"%d\r\n" % len(value), *_all(value, resp)])
    raise TypeError(f"a command of the simulated Redis returned {value!r}, which has no RESP form")


def _count(value: dict[Any, Any], pairs: list[Any], resp: int) -> int:
    return len(value) if resp == 3 else len(pairs)


def _all(values: Any, resp: int) -> list[bytes]:
    return [encode(item, resp) for item in values]


def _list_mark(value: Any, resp: int) -> bytes:
    if resp == 3 and isinstance(value, Elements):
        return b"~"
    return b">" if resp == 3 and isinstance(value, Push) else b"*"


def error_line(error: SimpleError) -> bytes:
    """An error answer; Redis replaces line ends inside of it by spaces."""
    text = error.value.encode("utf-8", "surrogateescape")
    return b"-" + text.replace(b"\r", b" ").replace(b"\n", b" ") + b"\r\n"


def float_text(value: float) -> bytes:
    """A double as Redis prints it."""
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    return b"%.17g" % value


def plain(value: Any) -> Any:
    """`value` as a script sees it: RESP2 without doubles and maps."""
    if value is NO_LIST:
        return None
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        return [plain(item) for pair in value.items() for item in pair]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
