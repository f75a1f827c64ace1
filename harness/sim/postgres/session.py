"""One real server session behind a raw unix socket: bytes in, whole answers out, and when to stop waiting."""

import contextlib
import select
import signal
import socket
import struct
from collections.abc import Mapping
from os import kill
from pathlib import Path
from typing import Self

from harness.errors import NotSimulated
from harness.sim.postgres import messages, timeouts
from harness.sim.postgres.answer import Answer, AnswerReader
from harness.sim.postgres.errors import PostgresUnavailable
from harness.sim.postgres.virtual import Clock
from harness.wire.postgres import messages as split

_INT = struct.Struct("!i")
_CHUNK = 1 << 16
_PATIENCE_MS = 60_000
_ANY_TYPE = 1 << 32
_MOST_SELECTED = 1024


class SessionClosed(Exception):
    """The server ended the session; `reply` holds its last words (an ErrorResponse, or nothing)."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


class Session:
    """A live session. status: ``I`` idle, ``T`` in a transaction, ``E`` in a failed one.

    broken: it may not be used by another client. prepared: the statements of ours (`prepared.Prepared`) that it has;
    named: the statements that it has under names of its client.
    """

    def __init__(self, connection: socket.socket, path: str) -> None:
        self._socket = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._path = path
        self.newest_type = _ANY_TYPE
        self._reader = AnswerReader(self.newest_type)
        self.status = "I"
        self.real_pid = 0
        self.broken = False
        self.startup_reply = b""
        self.clock: Clock | None = None
        self.limits = timeouts.NONE
        self.prepared: set[bytes] = set()
        self.named: set[bytes] = set()

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

    def send(self, data: bytes, owed: list[bytes] | None = None, *, hidden: int = 0) -> None:
        """Sends one group or several; `owed` and `hidden` are about the first: see `AnswerReader`."""
        self._reader = AnswerReader(self.newest_type, owed, hidden)
        with contextlib.suppress(OSError):  # the next read tells what happened
            self._socket.sendall(data)

    @property
    def sleep_us(self) -> int | None:
        """How long the query that has no answer yet said that it sleeps."""
        return self._reader.sleep_us

    def woke(self) -> None:
        """The sleep is over; what the query waits for next is something else."""
        self._reader.sleep_us = None

    def poll(self, milliseconds: float) -> Answer | None:
        """The next answer if it is whole within this time of the machine; None when more is to come."""
        answer = self._feed(b"")
        while answer is None:
            if not self._readable(milliseconds):
                return None
            try:
                data = self._socket.recv(_CHUNK)
            except OSError:
                data = b""
            if not data:
                raise SessionClosed(self._reader.unread)
            answer = self._feed(data)
        return answer

    def _readable(self, milliseconds: float) -> bool:
        # `poll` knows whole milliseconds only.
        if 0 < milliseconds < 1 and self._socket.fileno() < _MOST_SELECTED:
            return bool(select.select([self._socket], [], [], milliseconds / 1_000)[0])
        return bool(self._poll.poll(milliseconds))

    def _feed(self, data: bytes) -> Answer | None:
        try:
            answer = self._reader.feed(data)
        except NotSimulated:
            self.broken = True
            raise
        if answer is not None:
            self._reader = AnswerReader(self.newest_type, begun=self._reader.rest)
            if answer.status != " ":
                self.status = answer.status
        return answer

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


class QueryFailed(PostgresUnavailable):
    """A statement of ours that PostgreSQL refused; `fields` are its error's."""

    def __init__(self, fields: dict[str, str]) -> None:
        text = f"PostgreSQL refused a statement: {fields.get('M')} (SQLSTATE {fields.get('C')})"
        if "D" in fields:
            text += f". {fields['D']}"
        super().__init__(text)
        self.fields = fields
