"""What the node has to know of a request before it forwards it: its SQL, rewritten, and what the server will owe."""

from typing import NamedTuple

from harness.errors import NotSimulated
from harness.sim.postgres import messages
from harness.sim.postgres.rewrite import Statement, rewrite
from harness.wire.postgres import messages as split

_OWED = {0x50: b"1", 0x42: b"2", 0x43: b"3", 0x45: b"CIs"}  # Parse, Bind, Close, Execute
_PARSE, _DESCRIBE, _QUERY, _FLUSH, _FUNCTION = b"PDQHF"


class Request(NamedTuple):
    """data: what the server gets. owed: for a group that ends in Flush, the letters that each answer may have.

    statement: the last SQL text in it, if it has one.
    listens, notifies, sets_timeout: what any of its statements may do.
    """

    data: bytes
    owed: list[bytes] | None = None
    statement: Statement | None = None
    listens: bool = False
    notifies: bool = False
    sets_timeout: bool = False


NOTHING = Request(b"")


def read_request(data: bytes) -> Request:
    """Takes a group of frontend messages apart; raises `NotSimulated` for what is refused."""
    parts: list[bytes] = []
    owed: list[bytes] = []
    statements: list[Statement] = []
    letter = 0
    for letter, at, end in split(data):
        part = data[at:end]
        if letter in (_PARSE, _QUERY):
            part, statement = _rewritten(letter, part)
            statements.append(statement)
        elif letter == _FUNCTION:
            raise NotSimulated("a FunctionCall message", "Call the function with SELECT.")
        parts.append(part)
        if letter == _DESCRIBE:
            owed.extend((b"t", b"Tn") if data[at + 5 : at + 6] == b"S" else (b"Tn",))
        elif letter in _OWED:
            owed.append(_OWED[letter])
    return Request(
        b"".join(parts),
        owed if letter == _FLUSH else None,
        statements[-1] if statements else None,
        any(statement.listens for statement in statements),
        any(statement.notifies for statement in statements),
        any(statement.sets_timeout for statement in statements),
    )


def _rewritten(letter: int, part: bytes) -> tuple[bytes, Statement]:
    if letter == _QUERY:
        name, text, rest = b"", part[5:-1], b""
    else:
        name, text, rest = part[5:].split(b"\0", 2)
    statement = rewrite(text.decode("utf-8", "surrogateescape"))
    if statement.refusal is not None:
        raise statement.refusal
    if not statement.edits:
        return part, statement
    sql = statement.sql.encode("utf-8", "surrogateescape") + b"\0"
    if letter == _QUERY:
        return messages.message(b"Q", sql), statement
    return messages.message(b"P", name + b"\0" + sql + rest), statement
