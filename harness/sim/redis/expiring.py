"""Commands that set or show an expiry, and SET. Times are whole milliseconds, computed as redis-server does."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis.arguments import SYNTAX, WRONG_TYPE
from harness.sim.redis.borrowed import Int, Item, SimpleError, SimpleString
from harness.sim.redis.command import not_simulated
from harness.sim.redis.reply import OK

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_LONGEST = 2**63 - 1
_UNITS = {b"ex": (1000, True), b"px": (1, True), b"exat": (1000, False), b"pxat": (1, False)}


def set_(session: "Session", args: list[bytes]) -> Any:
    """SET key value [EX | PX | EXAT | PXAT time] [KEEPTTL] [NX | XX] [GET]"""
    key, value = args[:2]
    flags, expiry = _options(args[2:], frozenset({b"nx", b"xx", b"get", b"keepttl"}))
    if {b"nx", b"get"} <= flags:
        raise not_simulated([b"SET", *args], "with NX and GET together, which came with Redis 7")
    if {b"nx", b"xx"} <= flags or (b"keepttl" in flags and expiry is not None):
        raise SimpleError(SYNTAX)
    expireat = None if expiry is None else _deadline(session, expiry, "set")
    item = session.db.get(key)
    if (b"nx" in flags and item is not None) or (b"xx" in flags and item is None):
        return None
    old = _string(item) if b"get" in flags else None
    if b"keepttl" in flags and item is not None:
        expireat = item.expireat
    session.db.store(key, value, expireat)
    return old if b"get" in flags else OK


def setex(session: "Session", args: list[bytes]) -> SimpleString:
    session.db.store(args[0], args[2], _deadline(session, (b"ex", args[1]), "setex"))
    return OK


def psetex(session: "Session", args: list[bytes]) -> SimpleString:
    session.db.store(args[0], args[2], _deadline(session, (b"px", args[1]), "psetex"))
    return OK


def getex(session: "Session", args: list[bytes]) -> Any:
    """GETEX key [EX | PX | EXAT | PXAT time | PERSIST]"""
    flags, expiry = _options(args[1:], frozenset({b"persist"}))
    if flags and expiry is not None:
        raise SimpleError(SYNTAX)
    key = args[0]
    item = session.db.get(key)
    value = _string(item)
    if item is None:
        return None
    if expiry is not None:
        _expire(session, key, item, _deadline(session, expiry, "getex"))
    elif flags and item.expireat is not None:
        session.db.expire_at(key, item, None)
    return value


def expire(session: "Session", args: list[bytes]) -> int:
    return _expire_command(session, args, b"ex", "expire")


def pexpire(session: "Session", args: list[bytes]) -> int:
    return _expire_command(session, args, b"px", "pexpire")


def expireat(session: "Session", args: list[bytes]) -> int:
    return _expire_command(session, args, b"exat", "expireat")


def pexpireat(session: "Session", args: list[bytes]) -> int:
    return _expire_command(session, args, b"pxat", "pexpireat")


def ttl(session: "Session", args: list[bytes]) -> int:
    left = pttl(session, args)
    return left if left < 0 else (left + 500) // 1000


def pttl(session: "Session", args: list[bytes]) -> int:
    item = session.db.get(args[0])
    if item is None:
        return -2
    if item.expireat is None:
        return -1
    return int(item.expireat - session.db.time)


def persist(session: "Session", args: list[bytes]) -> int:
    item = session.db.get(args[0])
    if item is None or item.expireat is None:
        return 0
    session.db.expire_at(args[0], item, None)
    return 1


def _expire_command(session: "Session", args: list[bytes], unit: bytes, command: str) -> int:
    when = _absolute(session, unit, Int.decode(args[1]), command)
    item = session.db.get(args[0])
    if item is None:
        return 0
    _expire(session, args[0], item, when)
    return 1


def _expire(session: "Session", key: bytes, item: Item, when: int) -> None:
    """A key whose time has already come is deleted on the spot."""
    if when <= session.db.time:
        session.db.drop(key)
    else:
        session.db.expire_at(key, item, when)


def _options(words: list[bytes], known: frozenset[bytes]) -> tuple[set[bytes], tuple[bytes, bytes] | None]:
    """The flags among `words`, and the one time option with its value."""
    flags: set[bytes] = set()
    expiry: tuple[bytes, bytes] | None = None
    rest = list(reversed(words))
    while rest:
        word = rest.pop().lower()
        if word in known:
            flags.add(word)
        elif word in _UNITS and rest and (expiry is None or expiry[0] == word):
            expiry = (word, rest.pop())
        else:
            raise SimpleError(SYNTAX)
    return flags, expiry


def _deadline(session: "Session", expiry: tuple[bytes, bytes], command: str) -> int:
    """The moment of a time option, which must lie after the epoch or, if relative, after now."""
    unit, text = expiry
    number = Int.decode(text)
    if number <= 0:
        raise _invalid(command)
    return _absolute(session, unit, number, command)


def _absolute(session: "Session", unit: bytes, number: int, command: str) -> int:
    factor, relative = _UNITS[unit]
    when = number * factor
    start = session.db.time if relative else 0
    if not -_LONGEST - 1 <= when <= _LONGEST - start:
        raise _invalid(command)
    return when + start


def _invalid(command: str) -> SimpleError:
    return SimpleError(f"ERR invalid expire time in {command}")


def _string(item: Item | None) -> bytes | None:
    if item is None:
        return None
    if not isinstance(item.value, bytes):
        raise SimpleError(WRONG_TYPE)
    return item.value
