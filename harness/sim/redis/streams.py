"""Stream commands that fakeredis has, put right around its implementation where redis-server 6.2 differs."""

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from harness.sim.redis.arguments import WRONG_TYPE
from harness.sim.redis.borrowed import Int, SimpleError, StreamEntryKey, StreamRangeTest, XStream
from harness.sim.redis.command import not_simulated
from harness.sim.redis.reply import NO_LIST

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_CLAIM_OPTIONS = {b"force": 1, b"justid": 1, b"idle": 2, b"time": 2, b"retrycount": 2}


def xadd(session: "Session", args: list[bytes]) -> Any:
    return _with_error(session, "xadd", args, "ERR wrong number", "ERR wrong number of arguments for XADD")


def xrange(session: "Session", args: list[bytes]) -> Any:
    return _range(session, "xrange", args)


def xrevrange(session: "Session", args: list[bytes]) -> Any:
    return _range(session, "xrevrange", args)


def xgroup_create(session: "Session", args: list[bytes]) -> Any:
    text = "BUSYGROUP Consumer Group name already exists"
    return _with_error(session, "xgroup create", args, f"ERR {text}", text, quietly=args[0] in session.db)


def xdel(session: "Session", args: list[bytes]) -> Any:
    if args[0] not in session.db:
        return 0
    deleted = session.borrow("xdel", args)
    if deleted:
        session.db.notify_watch(args[0])
    return deleted


def xclaim(session: "Session", args: list[bytes]) -> Any:
    _check_group(session, args[0], args[1])
    Int.decode(args[3], "ERR Invalid min-idle-time argument for XCLAIM")
    ids = list(takewhile(_is_id, args[4:]))
    options = args[4 + len(ids) :]
    if ids != sorted(ids, key=StreamEntryKey.parse_str):
        raise not_simulated([b"XCLAIM", *args], "with ids out of order")
    while options:
        word = options[0].lower()
        if word == b"lastid":
            raise not_simulated([b"XCLAIM", *args], "with LASTID")
        if word not in _CLAIM_OPTIONS or len(options) < _CLAIM_OPTIONS[word]:
            raise SimpleError(f"ERR Unrecognized XCLAIM option '{_text(options[0])}'")
        options = options[_CLAIM_OPTIONS[word] :]
    _refuse_deleted(session, "xclaim", args)
    return session.borrow("xclaim", args)


def xautoclaim(session: "Session", args: list[bytes]) -> Any:
    Int.decode(args[3], "ERR Invalid min-idle-time argument for XAUTOCLAIM")
    StreamRangeTest.decode(args[4])
    options = args[5:]
    while options:
        if options[0].lower() == b"count" and len(options) > 1:
            if Int.decode(options[1]) < 1:
                raise SimpleError("ERR COUNT must be > 0")
            options = options[2:]
        elif options[0].lower() == b"justid":
            options = options[1:]
        else:
            raise SimpleError("ERR syntax error")
    _refuse_deleted(session, "xautoclaim", args)
    return session.borrow("xautoclaim", args)


def xpending(session: "Session", args: list[bytes]) -> Any:
    _check_pending_range(args[2:])
    found = session.borrow("xpending", args)
    if len(args) == 2 and isinstance(found[3], list):
        found[3] = (
            NO_LIST
            if not found[3]
            else [[consumer, b"%d" % int(count)] for consumer, count in sorted(found[3])]
        )
    return found


def _check_pending_range(words: list[bytes]) -> None:
    """Redis reads `[IDLE ms] start end count [consumer]` before it looks for the group."""
    if words and words[0].lower() == b"idle" and len(words) > 1:
        Int.decode(words[1])
        words = words[2:]
    if not words:
        return
    if len(words) not in (3, 4):
        raise SimpleError("ERR syntax error")
    Int.decode(words[2])
    StreamRangeTest.decode(words[0])
    StreamRangeTest.decode(words[1])


def _check_group(session: "Session", key: bytes, group: bytes) -> None:
    item = session.db.get(key)
    if item is not None and not isinstance(item.value, XStream):
        raise SimpleError(WRONG_TYPE)
    if item is None or item.value.group_get(group) is None:
        raise SimpleError(f"NOGROUP No such key '{_text(key)}' or consumer group '{_text(group)}'")


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _is_id(word: bytes) -> bool:
    try:
        StreamEntryKey.parse_str(word)
    except SimpleError:
        return False
    return True


def _refuse_deleted(session: "Session", name: str, args: list[bytes]) -> None:
    """Versions differ in what becomes of a pending entry that has been deleted from its stream."""
    item = session.db.get(args[0])
    if item is None or not isinstance(item.value, XStream):
        return
    group = item.value.group_get(args[1])
    if group is not None and any(entry not in item.value for entry in group.pel):
        raise not_simulated(
            [name.upper().encode(), *args], "on a group with pending entries that have been deleted"
        )


def _range(session: "Session", name: str, args: list[bytes]) -> Any:
    found = session.borrow(name, args)
    none_asked = len(args) == 5 and Int.decode(args[4]) <= 0
    return NO_LIST if none_asked and args[0] in session.db else found


def _with_error(
    session: "Session", name: str, args: list[bytes], theirs: str, ours: str, quietly: bool = False
) -> Any:
    try:
        return session.borrow(name, args, quietly)
    except SimpleError as error:
        if error.value.startswith(theirs):
            raise SimpleError(ours) from None
        raise
