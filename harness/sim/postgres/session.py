"""One real server session behind a raw unix socket: bytes in, whole answers out, and when to stop waiting."""

import select
import signal
import socket
import struct
from collections.abc import Mapping
from os import kill
from pathlib import Path
from typing import NamedTuple, Self

from harness.sim.postgres import messages
from harness.sim.postgres.errors import PostgresUnavailable
from harness.sim.postgres.virtual import SLEEPING, Clock
from harness.wire.postgres import messages as split

_INT = struct.Struct("!i")
_CHUNK = 1 << 16
_PATIENCE_MS = 60_000


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
        self.secret = 0
        self.startup_reply = b""
        self.sleep_us: int | None = None
        self.clock: Clock | None = None

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
                session.real_pid, session.secret = struct.unpack_from("!ii", answer.data, at + 5)
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
        try:
            self._socket.sendall(data)
        except OSError:
            pass  # the next read tells what happened

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

    def tell_time(self, now_us: int, pid: int = 0) -> None:
        """Sets the virtual time of a session that belongs to no client."""
        if self.clock is not None:
            self.clock.write(now_us, now_us, pid, 0, b"")

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
        inserts: list[tuple[int, int]] = []
        owed = list(self._expected) if self._expected is not None else None
        while len(buffer) - at >= 5:
            letter = buffer[at : at + 1]
            end = at + 1 + _INT.unpack_from(buffer, at + 1)[0]
            if end > len(buffer):
                break
            if letter == b"Z":
                self.status = chr(buffer[at + 5])
                return self._cut(end, inserts, error)
            if letter == b"E":
                error = messages.fields(buffer[at + 5 : end])
                if owed is not None:
                    return self._cut(end, inserts, error)
            elif letter == b"A" or (letter == b"N" and self._reads_sleep(buffer[at + 5 : end])):
                inserts.append((at, end))
            elif owed and letter in owed[0]:
                owed.pop(0)
                if not owed:
                    return self._cut(end, inserts, error)
            at = end
        return None

    def _reads_sleep(self, body: bytes) -> bool:
        if b"C" + SLEEPING.encode() not in body:
            return False
        self.sleep_us = round(float(messages.fields(body)["M"]) * 1_000_000)
        return True

    def _cut(self, end: int, inserts: list[tuple[int, int]], error: dict[str, str] | None) -> Answer:
        data, self._buffer = self._buffer[:end], self._buffer[end:]
        if not inserts:
            return Answer(data, [], error)
        kept, notifications, at = [], [], 0
        for start, stop in inserts:
            kept.append(data[at:start])
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
