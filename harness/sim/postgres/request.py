"""What the node has to know of a request before it forwards it: its SQL, rewritten, and what the server will owe."""

from typing import NamedTuple

from harness.sim.postgres import messages
from harness.sim.postgres.rewrite import rewrite
from harness.wire.postgres import messages as split

_OWED = {0x50: b"1", 0x42: b"2", 0x43: b"3", 0x45: b"CIs"}  # Parse, Bind, Close, Execute
_PARSE, _DESCRIBE, _QUERY, _FLUSH = b"PDQH"


class Request(NamedTuple):
    """data: what the server gets. owed: for a group that ends in Flush, the letters that each answer may have.

    listens: it may make its session listen to notifications.
    """

    data: bytes
    owed: list[bytes] | None = None
    listens: bool = False


NOTHING = Request(b"")


def read_request(data: bytes) -> Request:
    """Takes a group of frontend messages apart; raises `NotSimulated` for what is refused."""
    parts: list[bytes] = []
    owed: list[bytes] = []
    listens = flushes = False
    for letter, at, end in split(data):
        part = data[at:end]
        if letter in (_PARSE, _QUERY):
            part, may_listen = _rewritten(letter, part)
            listens = listens or may_listen
        parts.append(part)
        flushes = letter == _FLUSH
        if letter == _DESCRIBE:
            owed.extend((b"t", b"Tn") if data[at + 5 : at + 6] == b"S" else (b"Tn",))
        elif letter in _OWED:
            owed.append(_OWED[letter])
    return Request(b"".join(parts), owed if flushes else None, listens)


def _rewritten(letter: int, part: bytes) -> tuple[bytes, bool]:
    if letter == _QUERY:
        sql = part[5:-1].decode("utf-8", "surrogateescape")
        statement = rewrite(sql)
        changed = messages.message(b"Q", statement.sql.encode("utf-8", "surrogateescape") + b"\0")
    else:
        name, text, rest = part[5:].split(b"\0", 2)
        sql = text.decode("utf-8", "surrogateescape")
        statement = rewrite(sql)
        body = name + b"\0" + statement.sql.encode("utf-8", "surrogateescape") + b"\0" + rest
        changed = messages.message(b"P", body)
    return (part if statement.sql is sql else changed), "listen" in sql.lower()
