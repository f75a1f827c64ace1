"""Set commands that fakeredis has, put right where redis-server 6.2 differs."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis.arguments import check_at_most
from harness.sim.redis.borrowed import ExpiringMembersSet, Int
from harness.sim.redis.reply import Elements

if TYPE_CHECKING:
    from harness.sim.redis.session import Session


def sadd(session: "Session", args: list[bytes]) -> Any:
    """Adding what is there already is no change to the key."""
    item = session.db.get(args[0])
    if (
        item is not None
        and isinstance(item.value, ExpiringMembersSet)
        and all(member in item.value for member in args[1:])
    ):
        return 0
    return session.borrow("sadd", args)


def smove(session: "Session", args: list[bytes]) -> Any:
    """From a set to itself nothing moves."""
    return session.borrow("smove", args, quietly=args[0] == args[1])


def spop(session: "Session", args: list[bytes]) -> Any:
    check_at_most(args, 2)
    if len(args) == 2:
        Int.decode(args[1], "ERR value is out of range, must be positive")
    found = session.borrow("spop", args)
    return Elements(found) if isinstance(found, list) else found


def srandmember(session: "Session", args: list[bytes]) -> Any:
    check_at_most(args, 2)
    return session.borrow("srandmember", args)
