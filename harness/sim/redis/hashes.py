"""Hash commands that fakeredis has, put right where redis-server 6.2 differs."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis import long_double
from harness.sim.redis.arguments import NOT_A_FLOAT, check_random_options
from harness.sim.redis.borrowed import SimpleError

if TYPE_CHECKING:
    from harness.sim.redis.session import Session


def hincrbyfloat(session: "Session", args: list[bytes]) -> bytes:
    key, field, increment = args
    if isinstance(amount := long_double.parse(increment), float):
        raise SimpleError("ERR value is NaN or Infinity")
    if amount is None:
        raise SimpleError(NOT_A_FLOAT)
    current = session.borrow("hget", [key, field])
    total = long_double.sum_of(
        b"0" if current is None else current, increment, "ERR hash value is not a float"
    )
    session.borrow("hset", [key, field, total])
    return total


def hrandfield(session: "Session", args: list[bytes]) -> Any:
    check_random_options(args, b"withvalues")
    if args[0] not in session.db:
        return [] if len(args) > 1 else None
    return session.borrow("hrandfield", args)
