"""One real server session behind a raw unix socket: bytes in, whole answers out, and when to stop waiting."""

import contextlib
import select
import signal
import socket
import struct
from collections.abc import Mapping
from os import kill
from pathlib import Path
from typing import NamedTuple, Self

from harness.errors import NotSimulated
from harness.sim.postgres import messages, timeouts
from harness.sim.postgres.descriptions import neutral
from harness.sim.postgres.errors import PostgresUnavailable
from harness.sim.postgres.virtual import SLEEPING, Clock
from harness.wire.postgres import messages as split

_INT = struct.Struct("!i")
_CHUNK = 1 << 16
_PATIENCE_MS = 60_000
_ANY_TYPE = 1 << 32
_OURS = "PL/pgSQL function pg_sleep("
"""Begins the last line of an error's context that tells how the simulation sleeps."""


class SessionClosed(Exception):
    """The server ended the session; `reply` holds its last words (an ErrorResponse, or nothing)."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


class Answer(NamedTuple):
    """The server's whole answer to one group of messages.

    data: its bytes without notifications. notifications: those, whole messages in order.
    error: the fields of its last ErrorResponse, or None.
    """

    data: bytes
    notifications: list[bytes]
    error: dict[str, str] | None

    def reworded(self, words: dict[str, str]) -> "Answer":
        """The answer with fields of its error replaced: the context stays, the cause changes."""
        if self.error is None:
            return self
        error = {**self.error, **words}
        if _OURS in error.get("W", ""):
            error["W"] = error["W"].partition(_OURS)[2].partition("\n")[2]
        if not error.get("W"):
            error.pop("W", None)
        parts = []
        for letter, at, end in split(self.data):
            parts.append(messages.error(error) if letter == 0x45 else self.data[at:end])
        return Answer(b"".join(parts), self.notifications, error)


class Session:
    """A live session. status: ``I`` idle, ``T`` in a transaction, ``E`` in a failed one."""

    def __init__(self, connection: socket.socket, path: str) -> None:
        self._socket = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._path = path
        self._buffer = b""
        self._expected: list[bytes] | None = None
        self.status = "I"
        self.real_pid = 0
        self.broken = False
        self.startup_reply = b""
        self.sleep_us: int | None = None
        self.clock: Clock | None = None
        self.limits = timeouts.NONE
        self.newest_type = _ANY_TYPE

    @classmethod
    def open(cls, path: str, parameters: Mapping[str, str], clock_folder: Path) -> Self:
        """Connects and starts. Raises `SessionClosed` with the server's error when it refuses."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
            session = cls(connection, path)
            session.send(messages.startup(parameters))
            answer = session.wait()
        except BaseException:
            connection.close()
            raise
        session.startup_reply = answer.data
        for letter, at, _ in split(answer.data):
            if letter == 0x4B:  # BackendKeyData
                (session.real_pid,) = _INT.unpack_from(answer.data, at + 5)
        if clock_folder.is_dir():
            session.clock = Clock(clock_folder, session.real_pid)
        return session

    def close(self) -> None:
        """Leaves in order and waits until the server has let go."""
        try:
            self._socket.sendall(messages.message(b"X", b""))
            while self._socket.recv(_CHUNK):
                pass
        except OSError:
            pass
        self.drop()

    def drop(self) -> None:
        """Closes the socket and forgets the session."""
        self._socket.close()
        if self.clock is not None:
            self.clock.close()
            self.clock = None

    def send(self, data: bytes, expected: list[bytes] | None = None) -> None:
        """Sends one group. expected: for a group that ends in Flush, the letters that each message owes."""
        self._expected = expected
        self.sleep_us = None
        with contextlib.suppress(OSError):  # the next read tells what happened
            self._socket.sendall(data)

    def poll(self, milliseconds: int) -> Answer | None:
        """The answer if it is complete within this time of the machine; None when more is to come."""
        while True:
            answer = self._complete()
            if answer is not None:
                return answer
            if not self._poll.poll(milliseconds):
                return None
            try:
                data = self._socket.recv(_CHUNK)
            except OSError:
                data = b""
            if not data:
                raise SessionClosed(self._buffer)
            self._buffer += data

    def wait(self) -> Answer:
        """The answer, however long it takes (it never waits for a lock of another session of a run)."""
        answer = self.poll(_PATIENCE_MS)
        if answer is None:
            raise PostgresUnavailable(
                f"the embedded PostgreSQL did not answer for {_PATIENCE_MS // 1000} s. Run again; if it stays, "
                "the machine is overloaded."
            )
        return answer

    def run(self, sql: str) -> Answer:
        """A simple query of our own. Raises `PostgresUnavailable` with the server's text when it fails."""
        self.send(messages.query(sql))
        answer = self.wait()
        if answer.error is not None:
            raise QueryFailed(answer.error)
        return answer

    def alive(self) -> bool:
        """Whether the server still holds its end; nothing may be unread."""
        return not self._poll.poll(0)

    def forget_clock(self) -> None:
        """The clock's file may have been written by another process."""
        if self.clock is not None:
            self.clock.forget()

    def tell_time(self, now_us: int) -> None:
        """Sets the virtual time of a session that belongs to no client."""
        if self.clock is not None:
            self.clock.write((now_us, now_us, now_us))

    def is_running(self) -> bool:
        """Whether the real process is at work right now, so that asking what it waits for is no use; a hint only."""
        try:
            with open(f"/proc/{self.real_pid}/stat", "rb") as file:
                return file.read(256).rpartition(b")")[2][:2] == b" R"
        except OSError:
            return False

    def stop(self) -> None:
        """Keeps the real process where it is: it waits for a lock, and may not go on unasked when it gets it."""
        kill(self.real_pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """The opposite of `stop`."""
        kill(self.real_pid, signal.SIGCONT)

    def cancel(self) -> None:
        """Asks the real process to give up its query."""
        kill(self.real_pid, signal.SIGINT)

    def _complete(self) -> Answer | None:
        """Cuts an answer off the buffer when it is whole."""
        buffer, at = self._buffer, 0
        error: dict[str, str] | None = None
        changes: list[tuple[int, int, bytes]] = []
        owed = list(self._expected) if self._expected is not None else None
        while len(buffer) - at >= 5:
            letter = buffer[at : at + 1]
            end = at + 1 + _INT.unpack_from(buffer, at + 1)[0]
            if end > len(buffer):
                break
            if letter == b"Z":
                self.status = chr(buffer[at + 5])
                return self._cut(end, changes, error)
            if letter == b"E":
                error = messages.fields(buffer[at + 5 : end])
                if owed is not None:
                    return self._cut(end, changes, error)
            elif letter == b"A" or (letter == b"N" and self._reads_sleep(buffer[at + 5 : end])):
                changes.append((at, end, b""))
            elif letter in b"Tt":
                changes.append((at, end, self._neutral(buffer[at:end])))
            elif letter in b"GHW":
                self.broken = True
                raise NotSimulated("COPY between client and server", "Use INSERT, or SELECT.")
            if owed and letter in owed[0]:
                owed.pop(0)
                if not owed:
                    return self._cut(end, changes, error)
            at = end
        return None

    def _reads_sleep(self, body: bytes) -> bool:
        if b"C" + SLEEPING.encode() not in body:
            return False
        self.sleep_us = round(float(messages.fields(body)["M"]) * 1_000_000)
        return True

    def _neutral(self, message: bytes) -> bytes:
        try:
            return neutral(message, self.newest_type)
        except NotSimulated:
            self.broken = True
            raise

    def _cut(self, end: int, changes: list[tuple[int, int, bytes]], error: dict[str, str] | None) -> Answer:
        data, self._buffer = self._buffer[:end], self._buffer[end:]
        if not changes:
            return Answer(data, [], error)
        kept, notifications, at = [], [], 0
        for start, stop, changed in changes:
            kept += [data[at:start], changed]
            if data[start : start + 1] == b"A":
                notifications.append(data[start:stop])
            at = stop
        kept.append(data[at:])
        return Answer(b"".join(kept), notifications, error)


class QueryFailed(PostgresUnavailable):
    """A statement of ours that PostgreSQL refused; `fields` are its error's."""

    def __init__(self, fields: dict[str, str]) -> None:
        text = f"PostgreSQL refused a statement: {fields.get('M')} (SQLSTATE {fields.get('C')})"
        if "D" in fields:
            text += f". {fields['D']}"
        super().__init__(text)
        self.fields = fields
