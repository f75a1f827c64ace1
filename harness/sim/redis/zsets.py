"""Sorted set commands that fakeredis has, put right where redis-server 6.2 differs."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis.arguments import SYNTAX, check_at_most, check_random_options
from harness.sim.redis.borrowed import Float, Int, SimpleError, ZSet
from harness.sim.redis.command import not_simulated

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_LEX_WITH_SCORES = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"


def zrandmember(session: "Session", args: list[bytes]) -> Any:
    check_random_options(args, b"withscores")
    if args[0] not in session.db:
        return [] if len(args) > 1 else None
    found = session.borrow("zrandmember", args)
    return found if len(args) > 1 else found[0]


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
        raise SimpleError(SYNTAX)
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


def _zrange(session: "Session", name: str, args: list[bytes], source: bytes, options: list[bytes]) -> Any:
    given = {option.lower() for option in options}
    if name == "zrevrange" and given - {b"withscores"}:
        raise SimpleError(SYNTAX)
    if {b"bylex", b"byscore"} <= given:
        raise SimpleError(SYNTAX)
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
            raise SimpleError(SYNTAX)
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
    check_at_most(args, 2)
    if len(args) == 2 and Int.decode(args[1]) <= 0:
        return []
    return session.borrow(name, args)


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


def _check_difference(args: list[bytes]) -> None:
    """A difference knows neither weights nor aggregates."""
    keys = Int.decode(args[0])
    if any(word.lower() in (b"weights", b"aggregate") for word in args[1 + max(keys, 0) :]):
        raise SimpleError(SYNTAX)
