"""SCAN, HSCAN, SSCAN and ZSCAN, which fakeredis has, put right where redis-server 6.2 differs."""

import re
from typing import TYPE_CHECKING, Any

from harness.sim.redis.arguments import SYNTAX, WRONG_TYPE
from harness.sim.redis.borrowed import ExpiringMembersSet, Hash, Int, SimpleError, ZSet, compile_pattern
from harness.sim.redis.reply import float_text

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_CURSOR = re.compile(rb"([+-]?\d+)?")
_SCANNED = {"hscan": Hash, "sscan": ExpiringMembersSet, "zscan": ZSet}
_PACKED_HASH = 512
_PACKED_ZSET = 128


def scan(session: "Session", args: list[bytes]) -> list[Any]:
    return _scan(session, "scan", args, [], (b"match", b"count", b"type"))


def hscan(session: "Session", args: list[bytes]) -> list[Any]:
    return _scan(session, "hscan", args[1:], args[:1], (b"match", b"count"))


def sscan(session: "Session", args: list[bytes]) -> list[Any]:
    return _scan(session, "sscan", args[1:], args[:1], (b"match", b"count"))


def zscan(session: "Session", args: list[bytes]) -> list[Any]:
    return _scan(session, "zscan", args[1:], args[:1], (b"match", b"count"))


def _scan(
    session: "Session", name: str, args: list[bytes], key: list[bytes], known: tuple[bytes, ...]
) -> list[Any]:
    """SCAN and its kin. A small hash or sorted set comes whole and in order, as from redis-server's packed form."""
    if not _CURSOR.fullmatch(args[0]):
        raise SimpleError("ERR invalid cursor")
    item = session.db.get(key[0]) if key else None
    if key and item is None:
        return [b"0", []]
    if item is not None and not isinstance(item.value, _SCANNED[name]):
        raise SimpleError(WRONG_TYPE)
    options = args[1:]
    for option, value in zip(options[::2], options[1::2], strict=False):
        if option.lower() not in known:
            raise SimpleError(SYNTAX)
        if option.lower() == b"count" and Int.decode(value) < 1:
            raise SimpleError(SYNTAX)
    if len(options) % 2:
        raise SimpleError(SYNTAX)
    if item is not None and _is_packed(item.value):
        patterns = [
            value
            for option, value in zip(options[::2], options[1::2], strict=True)
            if option.lower() == b"match"
        ]
        return [b"0", _packed_elements(item.value, patterns[-1:])]
    return session.borrow(name, [*key, args[0] or b"0", *options])  # type: ignore[no-any-return]


def _is_packed(value: Any) -> bool:
    if isinstance(value, ZSet):
        return len(value) <= _PACKED_ZSET
    return isinstance(value, Hash) and len(value) <= _PACKED_HASH


def _packed_elements(value: Any, patterns: list[bytes]) -> list[bytes]:
    flat: list[bytes] = []
    for name in value:
        if all(compile_pattern(pattern).match(name) for pattern in patterns):
            flat += [name, float_text(value[name]) if isinstance(value, ZSet) else value[name]]
    return flat
