"""String commands that fakeredis has, put right where redis-server 6.2 differs."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis import long_double
from harness.sim.redis.arguments import NOT_A_FLOAT, WRONG_TYPE
from harness.sim.redis.borrowed import SimpleError

if TYPE_CHECKING:
    from harness.sim.redis.session import Session


def mset(session: "Session", args: list[bytes]) -> Any:
    _check_pairs(args)
    return session.borrow("mset", args)


def msetnx(session: "Session", args: list[bytes]) -> Any:
    _check_pairs(args)
    return session.borrow("msetnx", args)


def decrby(session: "Session", args: list[bytes]) -> Any:
    """The least integer has no negative, and C leaves it as it is."""
    if args[1] == b"-9223372036854775808":
        return session.borrow("incrby", args)
    return session.borrow("decrby", args)


def incrbyfloat(session: "Session", args: list[bytes]) -> bytes:
    key = args[0]
    item = session.db.get(key)
    if item is not None and not isinstance(item.value, bytes):
        raise SimpleError(WRONG_TYPE)
    total = long_double.sum_of(b"0" if item is None else item.value, args[1], NOT_A_FLOAT)
    session.db.store(key, total, None if item is None else item.expireat)
    return total


def setbit(session: "Session", args: list[bytes]) -> Any:
    """Counts as a change of the key even if the bit was as it is."""
    found = session.borrow("setbit", args)
    session.db.notify_watch(args[0])
    return found


def _check_pairs(args: list[bytes]) -> None:
    if len(args) % 2:
        raise SimpleError("ERR wrong number of arguments for MSET")
