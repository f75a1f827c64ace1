"""Checks of arguments that several kinds of commands share, and their errors."""

from harness.sim.redis.borrowed import Int, SimpleError

SYNTAX = "ERR syntax error"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_A_FLOAT = "ERR value is not a valid float"


def check_at_most(args: list[bytes], words: int) -> None:
    if len(args) > words:
        raise SimpleError(SYNTAX)


def check_random_options(args: list[bytes], with_what: bytes) -> None:
    if len(args) > 1:
        Int.decode(args[1])
    if len(args) > 3 or (len(args) == 3 and args[2].lower() != with_what):
        raise SimpleError(SYNTAX)
