"""Reads a server's answer to one group of messages as it comes in, and takes out what is not for the client."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from harness.errors import NotSimulated
from harness.sim.postgres import messages
from harness.sim.postgres.descriptions import neutral
from harness.sim.postgres.virtual import SLEEPING
from harness.wire.postgres import messages as split

_INT = struct.Struct("!i")
_READY, _ERROR, _NOTIFICATION, _NOTICE = b"ZEAN"
_PARSE_COMPLETE, _CLOSE_COMPLETE = b"13"
_DESCRIPTIONS = frozenset(b"Tt")
_COPIES = frozenset(b"GHW")
_SLEEPS = b"C" + SLEEPING.encode() + b"\0"
_OUR_SLEEP = "PL/pgSQL function pg_sleep("
"""Begins the last line of an error's context that tells how the simulation sleeps."""


class Answer(NamedTuple):
    """The server's whole answer to one group of messages.

    data: its bytes without notifications. notifications: those, whole messages in order.
    error: the fields of its last ErrorResponse, or None. status: of the session after it; `` `` after a Flush.
    """

    data: bytes
    notifications: Sequence[bytes] = ()
    error: dict[str, str] | None = None
    status: str = " "

    def reworded(self, words: dict[str, str]) -> "Answer":
        """The answer with fields of its error replaced: the context stays, the cause changes."""
        if self.error is None:
            return self
        error = {**self.error, **words}
        if _OUR_SLEEP in error.get("W", ""):
            error["W"] = error["W"].partition(_OUR_SLEEP)[2].partition("\n")[2]
        if not error.get("W"):
            error.pop("W", None)
        parts = []
        for letter, at, end in split(self.data):
            parts.append(messages.error(error) if letter == _ERROR else self.data[at:end])
        return self._replace(data=b"".join(parts), error=error)


class AnswerReader:
    """Fed with bytes until the answer is whole; `rest` is what came behind it.

    newest_type: see `descriptions.neutral`. owed: for a group that ended in Flush, the letters that each of its
    messages may be answered with. hidden: how many messages nobody asked for but us come first.
    sleep_us: how long the session said that it sleeps.
    """

    def __init__(
        self, newest_type: int, owed: Sequence[bytes] | None = None, hidden: int = 0, begun: bytes = b""
    ) -> None:
        self._newest_type = newest_type
        self._flushed = owed is not None
        self._owed = list(owed or ())
        self._hidden = hidden
        self._buffer = begun
        self._at = 0
        self._kept: list[bytes] = []
        self._notifications: list[bytes] = []
        self._error: dict[str, str] | None = None
        self.sleep_us: int | None = None
        self.rest = b""

    @property
    def unread(self) -> bytes:
        """What has come so far."""
        return b"".join(self._kept) + self._buffer[self._at :]

    def feed(self, data: bytes) -> Answer | None:
        """The answer once it is whole. Raises `NotSimulated` for what may not reach a client."""
        buffer = self._buffer = self._buffer[self._at :] + data if self._at else self._buffer + data
        at, length = 0, len(buffer)
        while length - at >= 5:
            end = at + 1 + _INT.unpack_from(buffer, at + 1)[0]
            if end > length:
                break
            letter = buffer[at]
            if letter == _READY:
                self._kept.append(buffer[at:end])
                return self._whole(end, chr(buffer[at + 5]))
            if self._take(letter, buffer[at:end]):
                return self._whole(end, " ")
            at = end
        self._at = at
        return None

    def _take(self, letter: int, message: bytes) -> bool:
        """Keeps one message or not; whether a Flush group is answered by it."""
        if self._hidden and letter in (_PARSE_COMPLETE, _CLOSE_COMPLETE):
            self._hidden -= 1
            return False
        if letter == _NOTIFICATION:
            self._notifications.append(message)
            return False
        if letter == _NOTICE and _SLEEPS in message:
            self.sleep_us = round(float(messages.fields(message[5:])["M"]) * 1_000_000)
            return False
        if letter in _COPIES:
            raise NotSimulated("COPY between client and server", "Use INSERT, or SELECT.")
        self._kept.append(neutral(message, self._newest_type) if letter in _DESCRIPTIONS else message)
        if letter == _ERROR:
            self._error = messages.fields(message[5:])
            return self._flushed
        if self._owed and letter in self._owed[0]:
            self._owed.pop(0)
            return not self._owed
        return False

    def _whole(self, end: int, status: str) -> Answer:
        self.rest = self._buffer[end:]
        return Answer(b"".join(self._kept), self._notifications, self._error, status)
