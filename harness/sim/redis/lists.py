"""List commands that fakeredis has, put right where redis-server 6.2 differs."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis.arguments import SYNTAX, WRONG_TYPE
from harness.sim.redis.borrowed import SimpleError
from harness.sim.redis.reply import NO_LIST

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_RANK_ZERO = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second, ..."


def lpop(session: "Session", args: list[bytes]) -> Any:
    return _list_pop(session, "lpop", args)


def rpop(session: "Session", args: list[bytes]) -> Any:
    return _list_pop(session, "rpop", args)


def lindex(session: "Session", args: list[bytes]) -> Any:
    _check_list(session, args[0])
    return session.borrow("lindex", args)


def linsert(session: "Session", args: list[bytes]) -> Any:
    if args[1].lower() not in (b"before", b"after"):
        raise SimpleError(SYNTAX)
    return session.borrow("linsert", args)


def lset(session: "Session", args: list[bytes]) -> Any:
    _check_list(session, args[0])
    return session.borrow("lset", args)


def lpos(session: "Session", args: list[bytes]) -> Any:
    try:
        return session.borrow("lpos", args)
    except SimpleError as error:
        raise SimpleError(_RANK_ZERO if error.value.startswith("RANK") else error.value) from None


def lmove(session: "Session", args: list[bytes]) -> Any:
    if any(end.lower() not in (b"left", b"right") for end in args[2:]):
        raise SimpleError(SYNTAX)
    return session.borrow("lmove", args)


def _list_pop(session: "Session", name: str, args: list[bytes]) -> Any:
    if len(args) > 2:
        raise SimpleError(f"ERR wrong number of arguments for '{name}' command")
    found = session.borrow(name, args, quietly=args[1:] == [b"0"])
    return NO_LIST if found is None and len(args) == 2 else found


def _check_list(session: "Session", key: bytes) -> None:
    item = session.db.get(key)
    if item is not None and not isinstance(item.value, list):
        raise SimpleError(WRONG_TYPE)
