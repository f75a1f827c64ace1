"""PostgreSQL's frontend/backend protocol, version 3: framing and naming of both directions.

A request is a group of frontend messages up to the one that makes the server answer: Sync, Flush, a simple Query,
a start-up or password packet, the end of a COPY. Its reply is everything the server owes for it.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.wire import Frame, WireError
from harness.wire.postgres_sql import statement_kind

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
_LONGEST_PACKET = 1 << 30

_LENGTH = struct.Struct("!i")
_PACKET = struct.Struct("!ii")

_PARSE, _BIND, _DESCRIBE, _EXECUTE, _CLOSE, _QUERY, _FLUSH, _TERMINATE = b"PBDECQHX"
_STATEMENT = ord("S")
# Messages that end a group, and the answers that each message of a Flush group owes.
_CLOSERS = frozenset(b"SHQXpFcf")
_OWED = {_PARSE: b"1", _BIND: b"2", _CLOSE: b"3", _EXECUTE: b"CIs"}
_PLAIN_KINDS = dict(
    zip(b"XpFcf", ("TERMINATE", "PASSWORD", "FUNCTION", "COPY DATA", "COPY DATA"), strict=True)
)
_AUTHENTICATION_GOES_ON = frozenset({0, 12})


def messages(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The typed messages of `data` as (type byte, start of the message, end); `data` holds whole messages only."""
    at, end = 0, len(data)
    while at < end:
        stop = at + 1 + _LENGTH.unpack_from(data, at + 1)[0]
        yield data[at], at, stop
        at = stop


@dataclass(slots=True)
class _Request:
    """A request still without its whole reply. owed: for a Flush group, the answers that are left."""

    kind: str
    closer: str
    owed: deque[bytes] = field(default_factory=deque)


class PostgresConversation:
    """Reads one connection. TLS, GSS encryption and replication cannot be read and raise `WireError`."""

    def __init__(self) -> None:
        self._client = bytearray()
        self._server = bytearray()
        self._group = bytearray()
        self._kind = self._prepares = ""
        self._bound = False
        self._owed: list[bytes] = []
        self._started = False
        self._reply = bytearray()
        self._pending: deque[_Request] = deque()
        self._statements: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}

    def from_client(self, data: bytes) -> list[Frame]:
        """The requests completed by `data`; an incomplete rest is kept."""
        self._client += data
        frames: list[Frame] = []
        while not self._started and len(self._client) >= 8:
            frame = self._packet()
            if frame is None:
                return frames
            frames.append(frame)
        if self._started:
            self._typed(frames)
        return frames

    def _packet(self) -> Frame | None:
        """One of the untyped packets with which a connection begins."""
        length, code = _PACKET.unpack_from(self._client)
        if not 8 <= length <= _LONGEST_PACKET:
            raise WireError(_not_postgres(bytes(self._client[:8])))
        if len(self._client) < length:
            return None
        packet = bytes(self._client[:length])
        del self._client[:length]
        if code == CANCEL_REQUEST:
            return Frame("CANCEL", packet, answered=False)
        kind = {SSL_REQUEST: "SSL", GSS_REQUEST: "GSS"}.get(code)
        if kind is None:
            if code >> 16 != 3:
                raise WireError(_not_postgres(packet[:8]))
            kind, self._started = "STARTUP", True
        self._pending.append(_Request(kind, kind))
        return Frame(kind, packet)

    def _typed(self, frames: list[Frame]) -> None:
        buffer = bytes(self._client)
        start = at = 0
        while len(buffer) - at >= 5:
            (length,) = _LENGTH.unpack_from(buffer, at + 1)
            if not 4 <= length <= _LONGEST_PACKET:
                raise WireError(_not_postgres(buffer[at : at + 5]))
            end = at + 1 + length
            if end > len(buffer):
                break
            letter = buffer[at]
            self._read(letter, buffer, at + 5, end)
            at = end
            if letter in _CLOSERS:
                frames.append(self._close_group(letter, bytes(self._group) + buffer[start:at]))
                start = at
        self._group += buffer[start:at]
        del self._client[:at]

    def _read(self, letter: int, buffer: bytes, at: int, end: int) -> None:
        """Takes the kind of one message, whose body goes from `at` to `end`, and what it owes."""
        if letter in _OWED:
            self._owed.append(_OWED[letter])
        if letter == _BIND:
            middle = buffer.index(b"\0", at)
            name = buffer[middle + 1 : buffer.index(b"\0", middle + 1)]
            kind = self._portals[buffer[at:middle]] = self._statements.get(name, "EXECUTE")
            self._prepares = self._prepares or kind
            self._bound = True
        elif letter == _EXECUTE:
            kind = self._portals.get(buffer[at : buffer.index(b"\0", at)], "EXECUTE")
            self._kind = self._kind or (kind if self._bound else f"FETCH {kind}")
        elif letter == _PARSE:
            name, sql, _ = buffer[at:end].split(b"\0", 2)
            kind = self._statements[name] = statement_kind(sql.decode("utf-8", "replace"))
            self._prepares = self._prepares or f"PREPARE {kind}"
        elif letter == _DESCRIBE:
            self._owed.extend((b"t", b"Tn") if buffer[at] == _STATEMENT else (b"Tn",))
            self._prepares = self._prepares or "DESCRIBE"
        elif letter == _QUERY:
            self._kind = self._kind or statement_kind(buffer[at : end - 1].decode("utf-8", "replace"))
        elif letter == _CLOSE:
            self._prepares = self._prepares or "CLOSE"
        elif letter in _PLAIN_KINDS:
            self._kind = self._kind or _PLAIN_KINDS[letter]

    def _close_group(self, closer: int, data: bytes) -> Frame:
        """What is executed names the group best; then what is only prepared."""
        kind = self._kind or self._prepares or "SYNC"
        answered = closer != _TERMINATE
        if answered:
            owed = deque(self._owed) if closer == _FLUSH else deque[bytes]()
            self._pending.append(_Request(kind, chr(closer), owed))
        self._group.clear()
        self._owed.clear()
        self._kind = self._prepares = ""
        self._bound = False
        return Frame(kind, data, answered)

    def from_server(self, data: bytes) -> list[Frame]:
        """The replies and pushes completed by `data`; an incomplete rest is kept."""
        self._server += data
        frames: list[Frame] = []
        self._settle_silent(frames)
        while self._server:
            if self._pending and self._pending[0].closer in ("SSL", "GSS"):
                frames.append(self._encryption_answer())
                continue
            if len(self._server) < 5:
                break
            length = _LENGTH.unpack_from(self._server, 1)[0]
            if not 4 <= length <= _LONGEST_PACKET:
                raise WireError(_not_postgres(bytes(self._server[:5])))
            if len(self._server) < 1 + length:
                break
            message = bytes(self._server[: 1 + length])
            del self._server[: 1 + length]
            self._answer(message, frames)
            self._settle_silent(frames)
        return frames

    def _encryption_answer(self) -> Frame:
        answer = bytes(self._server[:1])
        del self._server[:1]
        request = self._pending.popleft()
        if answer in b"SG":
            raise WireError(
                f"the server answered {answer!r} to a {request.kind} request: an encrypted connection cannot be read. "
                "Connect with sslmode=disable and gssencmode=disable."
            )
        return Frame(request.kind, answer, answered=False)

    def _answer(self, message: bytes, frames: list[Frame]) -> None:
        letter = message[:1]
        if not self._reply and (letter in b"AN" or not self._pending):
            frames.append(Frame(_push_kind(message), message, answered=False, push=True))
            return
        self._reply += message
        if not self._completes(self._pending[0], letter, message):
            return
        request = self._pending.popleft()
        frames.append(Frame(request.kind, bytes(self._reply), answered=False))
        self._reply.clear()
        if request.closer == "H" and letter == b"E":
            # Until the next Sync the server is silent: Flush groups that were on their way owe nothing.
            for later in self._pending:
                if later.closer != "H":
                    break
                later.owed.clear()

    def _settle_silent(self, frames: list[Frame]) -> None:
        """A Flush group that owes nothing is answered by nothing."""
        while (
            self._pending and self._pending[0].closer == "H" and not self._pending[0].owed and not self._reply
        ):
            frames.append(Frame(self._pending.popleft().kind, b"", answered=False))

    @staticmethod
    def _completes(request: _Request, letter: bytes, message: bytes) -> bool:
        if request.closer == "H":
            if letter == b"E":
                return True
            if request.owed and letter in request.owed[0]:
                request.owed.popleft()
            return not request.owed
        if letter == b"Z":
            return True
        if request.closer in ("STARTUP", "p"):
            if letter == b"R":
                return _LENGTH.unpack_from(message, 5)[0] not in _AUTHENTICATION_GOES_ON
            return letter == b"E"
        return letter in b"GW"  # the server waits for the client's COPY data


def _push_kind(message: bytes) -> str:
    letter = message[:1]
    if letter == b"A":
        return "NOTIFY " + message[9:].split(b"\0", 1)[0].decode("utf-8", "replace")
    return {b"N": "NOTICE", b"S": "PARAMETER", b"E": "ERROR"}.get(letter, "UNASKED")


def _not_postgres(data: bytes) -> str:
    return (
        f"{data!r} is not of the PostgreSQL protocol, version 3. "
        "Name the link's protocol as it is, or use plain bytes for a service that is none of ours."
    )
