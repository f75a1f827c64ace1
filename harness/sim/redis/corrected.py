"""Commands that fakeredis has, but not in every detail as redis-server 6.2: put right around its implementation."""

import re
from typing import TYPE_CHECKING, Any

from harness.sim.redis import long_double
from harness.sim.redis.borrowed import (
    ExpiringMembersSet,
    Float,
    Hash,
    Int,
    SimpleError,
    ZSet,
    compile_pattern,
)
from harness.sim.redis.command import not_simulated
from harness.sim.redis.expiring import WRONG_TYPE
from harness.sim.redis.reply import NO_LIST, Elements, float_text

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_SYNTAX = "ERR syntax error"
_NOT_FINITE = "ERR increment would produce NaN or Infinity"
_NOT_FLOAT = "ERR value is not a valid float"
_RANK_ZERO = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second, ..."
_LEX_WITH_SCORES = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
_CURSOR = re.compile(rb"([+-]?\d+)?")
_SCANNED = {"hscan": Hash, "sscan": ExpiringMembersSet, "zscan": ZSet}
_PACKED_HASH = 512
_PACKED_ZSET = 128


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
    total = _sum(b"0" if item is None else item.value, args[1], _NOT_FLOAT)
    session.db.store(key, total, None if item is None else item.expireat)
    return total


def hincrbyfloat(session: "Session", args: list[bytes]) -> bytes:
    key, field, increment = args
    if isinstance(amount := long_double.parse(increment), float):
        raise SimpleError("ERR value is NaN or Infinity")
    if amount is None:
        raise SimpleError(_NOT_FLOAT)
    current = session.borrow("hget", [key, field])
    total = _sum(b"0" if current is None else current, increment, "ERR hash value is not a float")
    session.borrow("hset", [key, field, total])
    return total


def hrandfield(session: "Session", args: list[bytes]) -> Any:
    _check_random_options(args, b"withvalues")
    if args[0] not in session.db:
        return [] if len(args) > 1 else None
    return session.borrow("hrandfield", args)


def zrandmember(session: "Session", args: list[bytes]) -> Any:
    _check_random_options(args, b"withscores")
    if args[0] not in session.db:
        return [] if len(args) > 1 else None
    found = session.borrow("zrandmember", args)
    return found if len(args) > 1 else found[0]


def scan(session: "Session", args: list[bytes]) -> list[Any]:
    return _scan(session, "scan", args, [], (b"match", b"count", b"type"))


def hscan(session: "Session", args: list[bytes]) -> list[Any]:
    return _scan(session, "hscan", args[1:], args[:1], (b"match", b"count"))


def sscan(session: "Session", args: list[bytes]) -> list[Any]:
    return _scan(session, "sscan", args[1:], args[:1], (b"match", b"count"))


def zscan(session: "Session", args: list[bytes]) -> list[Any]:
    return _scan(session, "zscan", args[1:], args[:1], (b"match", b"count"))


def lpop(session: "Session", args: list[bytes]) -> Any:
    return _list_pop(session, "lpop", args)


def rpop(session: "Session", args: list[bytes]) -> Any:
    return _list_pop(session, "rpop", args)


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
    _check_at_most(args, 2)
    if len(args) == 2:
        Int.decode(args[1], "ERR value is out of range, must be positive")
    found = session.borrow("spop", args)
    return Elements(found) if isinstance(found, list) else found


def srandmember(session: "Session", args: list[bytes]) -> Any:
    _check_at_most(args, 2)
    return session.borrow("srandmember", args)


def linsert(session: "Session", args: list[bytes]) -> Any:
    if args[1].lower() not in (b"before", b"after"):
        raise SimpleError(_SYNTAX)
    return session.borrow("linsert", args)


def lindex(session: "Session", args: list[bytes]) -> Any:
    _check_list(session, args[0])
    return session.borrow("lindex", args)


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
        raise SimpleError(_SYNTAX)
    return session.borrow("lmove", args)


def setbit(session: "Session", args: list[bytes]) -> Any:
    """Counts as a change of the key even if the bit was as it is."""
    found = session.borrow("setbit", args)
    session.db.notify_watch(args[0])
    return found


def zadd(session: "Session", args: list[bytes]) -> Any:
    adds_up = any(word.lower() == b"incr" for word in args[1:-2])
    return session.borrow(
        "zadd", args, quietly=adds_up and _leaves_score(session, args[0], args[-2], args[-1])
    )


def zincrby(session: "Session", args: list[bytes]) -> Any:
    return session.borrow("zincrby", args, quietly=_leaves_score(session, *args))


def zdiff(session: "Session", args: list[bytes]) -> Any:
    _check_difference(args)
    return session.borrow("zdiff", args)


def zdiffstore(session: "Session", args: list[bytes]) -> Any:
    _check_difference(args[1:])
    return session.borrow("zdiffstore", args)


def zrangebyscore(session: "Session", args: list[bytes]) -> Any:
    _check_range_options(args[3:], b"withscores")
    return session.borrow("zrangebyscore", args)


def zrevrangebyscore(session: "Session", args: list[bytes]) -> Any:
    _check_range_options(args[3:], b"withscores")
    return session.borrow("zrevrangebyscore", args)


def zrange(session: "Session", args: list[bytes]) -> Any:
    return _zrange(session, "zrange", args, args[0], args[3:])


def zrangestore(session: "Session", args: list[bytes]) -> int:
    """Whatever is at the target is replaced, or deleted when nothing is found."""
    target, source, *rest = args
    if any(word.lower() == b"withscores" for word in rest[2:]):
        raise SimpleError(_SYNTAX)
    members = zrange(session, [source, *rest])
    if not members:
        session.db.drop(target)
        return 0
    scores = session.db[source].value
    found = ZSet()
    for member in members:
        found.add(member, scores[member])
    session.db.store(target, found)
    return len(members)


def zrevrange(session: "Session", args: list[bytes]) -> Any:
    return _zrange(session, "zrevrange", args, args[0], args[3:])


def zrangebylex(session: "Session", args: list[bytes]) -> Any:
    _check_range_options(args[3:])
    return _by_lex(session, "zrangebylex", args, args[0])


def zrevrangebylex(session: "Session", args: list[bytes]) -> Any:
    _check_range_options(args[3:])
    return _by_lex(session, "zrevrangebylex", args, args[0])


def zlexcount(session: "Session", args: list[bytes]) -> Any:
    return _by_lex(session, "zlexcount", args, args[0])


def zremrangebylex(session: "Session", args: list[bytes]) -> Any:
    return _by_lex(session, "zremrangebylex", args, args[0])


def zpopmin(session: "Session", args: list[bytes]) -> Any:
    return _zpop(session, "zpopmin", args)


def zpopmax(session: "Session", args: list[bytes]) -> Any:
    return _zpop(session, "zpopmax", args)


def _list_pop(session: "Session", name: str, args: list[bytes]) -> Any:
    if len(args) > 2:
        raise SimpleError(f"ERR wrong number of arguments for '{name}' command")
    found = session.borrow(name, args, quietly=args[1:] == [b"0"])
    return NO_LIST if found is None and len(args) == 2 else found


def _leaves_score(session: "Session", key: bytes, increment: bytes, member: bytes) -> bool:
    """Whether a sum is what the score is already, which is no change to the key."""
    item = session.db.get(key)
    if item is None or not isinstance(item.value, ZSet) or member not in item.value:
        return False
    score = item.value[member]
    try:
        return bool(score + Float.decode(increment) == score)
    except SimpleError:
        return False


def _check_list(session: "Session", key: bytes) -> None:
    item = session.db.get(key)
    if item is not None and not isinstance(item.value, list):
        raise SimpleError(WRONG_TYPE)


def _check_at_most(args: list[bytes], words: int) -> None:
    if len(args) > words:
        raise SimpleError(_SYNTAX)


def _check_difference(args: list[bytes]) -> None:
    """A difference knows neither weights nor aggregates."""
    keys = Int.decode(args[0])
    if any(word.lower() in (b"weights", b"aggregate") for word in args[1 + max(keys, 0) :]):
        raise SimpleError(_SYNTAX)


def _check_pairs(args: list[bytes]) -> None:
    if len(args) % 2:
        raise SimpleError("ERR wrong number of arguments for MSET")


def _sum(current: bytes, increment: bytes, not_a_float: str) -> bytes:
    first, second = long_double.parse(current), long_double.parse(increment)
    if first is None:
        raise SimpleError(not_a_float)
    if second is None:
        raise SimpleError(_NOT_FLOAT)
    if isinstance(first, float) or isinstance(second, float):
        raise SimpleError(_NOT_FINITE)
    return long_double.text_of(long_double.rounded(first + second))


def _check_random_options(args: list[bytes], with_what: bytes) -> None:
    if len(args) > 1:
        Int.decode(args[1])
    if len(args) > 3 or (len(args) == 3 and args[2].lower() != with_what):
        raise SimpleError(_SYNTAX)


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
            raise SimpleError(_SYNTAX)
        if option.lower() == b"count" and Int.decode(value) < 1:
            raise SimpleError(_SYNTAX)
    if len(options) % 2:
        raise SimpleError(_SYNTAX)
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


def _zrange(session: "Session", name: str, args: list[bytes], source: bytes, options: list[bytes]) -> Any:
    given = {option.lower() for option in options}
    if name == "zrevrange" and given - {b"withscores"}:
        raise SimpleError(_SYNTAX)
    if {b"bylex", b"byscore"} <= given:
        raise SimpleError(_SYNTAX)
    if b"bylex" in given:
        if b"withscores" in given:
            raise SimpleError(_LEX_WITH_SCORES)
        return _by_lex(session, name, args, source)
    try:
        return session.borrow(name, args)
    except SimpleError as error:
        if error.value == "ERR min or max is not a float" and b"byscore" not in given:
            raise SimpleError("ERR value is not an integer or out of range") from None
        raise


def _check_range_options(options: list[bytes], *flags: bytes) -> None:
    """Redis reads the options before the bounds."""
    with_scores = False
    while options:
        word = options[0].lower()
        if word == b"limit" and len(options) > 2:
            Int.decode(options[1])
            Int.decode(options[2])
            options = options[3:]
        elif word == b"withscores":
            with_scores, options = True, options[1:]
        else:
            raise SimpleError(_SYNTAX)
    if with_scores and b"withscores" not in flags:
        raise SimpleError(_LEX_WITH_SCORES)


def _by_lex(session: "Session", name: str, args: list[bytes], source: bytes) -> Any:
    """Members between two strings, which means something only while all scores are equal."""
    item = session.db.get(source)
    if (
        item is not None
        and isinstance(item.value, ZSet)
        and len({item.value[member] for member in item.value}) > 1
    ):
        raise not_simulated([name.upper().encode(), *args], "on a sorted set whose scores differ")
    try:
        return session.borrow(name, args)
    except SimpleError as error:
        raise SimpleError(error.value.replace("not a valid string range", "not valid string range")) from None


def _zpop(session: "Session", name: str, args: list[bytes]) -> Any:
    _check_at_most(args, 2)
    if len(args) == 2 and Int.decode(args[1]) <= 0:
        return []
    return session.borrow(name, args)
