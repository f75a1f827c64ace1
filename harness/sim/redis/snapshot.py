"""What an observer sees of a value in the simulated Redis."""

import math
from typing import Any

from harness.sim.redis.borrowed import ExpiringMembersSet, Hash, Item, StreamRangeTest, XStream, ZSet

_FIRST, _LAST = StreamRangeTest.decode(b"-"), StreamRangeTest.decode(b"+")


def as_json(item: Item, now_us: int) -> dict[str, object]:
    """`{"type", "value", "ttl_us"}`: a string, list or sorted list of members, or an object of fields or scores.

    A stream is a list of `[id, {field: value}]`. ttl_us: microseconds until the key expires, None for never.
    """
    kind, value = _typed(item.value)
    expireat: int | None = item.expireat
    ttl_us = None if expireat is None else max(expireat * 1000 - now_us, 0)
    return {"type": kind, "value": value, "ttl_us": ttl_us}


def _typed(value: Any) -> tuple[str, object]:
    if isinstance(value, bytes):
        return "string", _text(value)
    if isinstance(value, list):
        return "list", [_text(element) for element in value]
    if isinstance(value, Hash):
        return "hash", {_text(field): _text(content) for field, content in value.items()}
    if isinstance(value, ExpiringMembersSet):
        return "set", sorted(_text(member) for member in value)
    if isinstance(value, ZSet):
        return "zset", {_text(member): _finite(value[member]) for member in value}
    if isinstance(value, XStream):
        return "stream", [[_text(at), _fields(fields)] for at, fields in value.irange(_FIRST, _LAST)]
    raise TypeError(f"no way to show a {type(value).__name__}")


def _fields(flat: list[bytes]) -> dict[str, str]:
    return {_text(field): _text(content) for field, content in zip(flat[::2], flat[1::2], strict=True)}


def _finite(score: float) -> float | str:
    """JSON has no infinity."""
    return score if math.isfinite(score) else str(score)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
