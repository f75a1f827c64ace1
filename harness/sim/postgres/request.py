"""What the node has to know of a request before it forwards it: its SQL, rewritten, and what the server will owe."""

from collections.abc import Mapping
from typing import NamedTuple

from harness.errors import NotSimulated
from harness.sim.postgres import messages
from harness.sim.postgres.prepared import Prepared
from harness.sim.postgres.rewrite import Statement, rewrite
from harness.wire.postgres import messages as split

_OWED = {0x50: b"1", 0x42: b"2", 0x43: b"3", 0x45: b"CIs"}  # Parse, Bind, Close, Execute
_PARSE, _BIND, _CLOSE, _DESCRIBE, _QUERY, _FLUSH, _FUNCTION = b"PBCDQHF"


class Request(NamedTuple):
    """data: what the server gets. owed: for a group that ends in Flush, the letters that each answer may have.

    statements: the SQL texts in it. prepares: name and body of a statement, if the group does nothing but prepare it.
    names: of the statements that it prepares; closes: of those that it closes. binds: the statements of ours that
    it uses.
    """

    data: bytes
    owed: list[bytes] | None = None
    statements: tuple[Statement, ...] = ()
    prepares: tuple[bytes, bytes] | None = None
    names: tuple[bytes, ...] = ()
    closes: tuple[bytes, ...] = ()
    binds: tuple[Prepared, ...] = ()


NOTHING = Request(b"")


def read_request(data: bytes, ours: Mapping[bytes, Prepared]) -> Request:
    """Takes a group of frontend messages apart; raises `NotSimulated` for what is refused.

    ours: the statements that this client prepared, where they live under names of ours.
    """
    reader = _Reader(ours)
    for letter, at, end in split(data):
        reader.take(letter, data[at:end])
    return reader.request()


class _Reader:
    """Collects one group message by message."""

    def __init__(self, ours: Mapping[bytes, Prepared]) -> None:
        self._ours = ours
        self._parts: list[bytes] = []
        self._letters: list[int] = []
        self._owed: list[bytes] = []
        self._statements: list[Statement] = []
        self._bodies: dict[bytes, bytes] = {}
        self._closes: list[bytes] = []
        self._binds: list[Prepared] = []

    def take(self, letter: int, part: bytes) -> None:
        if letter == _PARSE:
            part = self._parse(part)
        elif letter == _QUERY:
            part = self._query(part)
        elif letter == _BIND:
            part = self._bind(part)
        elif letter == _DESCRIBE:
            part = self._describe(part)
        elif letter == _CLOSE and part[5:6] == b"S":
            self._closes.append(part[6:-1])
        elif letter == _FUNCTION:
            raise NotSimulated("a FunctionCall message", "Call the function with SELECT.")
        if letter in _OWED:
            self._owed.append(_OWED[letter])
        self._letters.append(letter)
        self._parts.append(part)

    def request(self) -> Request:
        prepares = None
        if self._letters[:2] == [_PARSE, _DESCRIBE] and len(self._letters) == 3:
            (prepares,) = self._bodies.items()
        return Request(
            b"".join(self._parts),
            self._owed if self._letters[-1] == _FLUSH else None,
            tuple(self._statements),
            prepares,
            tuple(self._bodies),
            tuple(self._closes),
            tuple(self._binds),
        )

    def _rewrite(self, text: bytes) -> bytes:
        statement = rewrite(text.decode("utf-8", "surrogateescape"))
        if statement.refusal is not None:
            raise statement.refusal
        self._statements.append(statement)
        return statement.sql.encode("utf-8", "surrogateescape") if statement.edits else text

    def _query(self, part: bytes) -> bytes:
        text = part[5:-1]
        changed = self._rewrite(text)
        return part if changed is text else messages.message(b"Q", changed + b"\0")

    def _parse(self, part: bytes) -> bytes:
        name, text, rest = part[5:].split(b"\0", 2)
        changed = self._rewrite(text)
        self._bodies[name] = changed + b"\0" + rest
        return part if changed is text else messages.message(b"P", name + b"\0" + self._bodies[name])

    def _bind(self, part: bytes) -> bytes:
        portal, name, rest = part[5:].split(b"\0", 2)
        prepared = self._prepared(name)
        if prepared is None:
            return part
        return messages.message(b"B", b"\0".join((portal, prepared.name, rest)))

    def _describe(self, part: bytes) -> bytes:
        prepared = self._prepared(part[6:-1]) if part[5:6] == b"S" else None
        self._owed.extend((b"t", b"Tn") if part[5:6] == b"S" else (b"Tn",))
        return part if prepared is None else messages.message(b"D", b"S" + prepared.name + b"\0")

    def _prepared(self, name: bytes) -> Prepared | None:
        prepared = None if name in self._bodies else self._ours.get(name)
        if prepared is not None:
            self._binds.append(prepared)
        return prepared
