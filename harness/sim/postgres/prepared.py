"""Answers a driver's "prepare this" from memory, run after run, as long as nothing can tell the difference.

Drivers prepare every statement on every connection before they use it, and that is half of what a server does for
a short run. What it would answer depends on the catalogue alone, so a helper session is asked once; the statement
itself is prepared in the client's real session when it is bound first, under a name of ours made of its text, and
stays there for the runs to come. The node turns this off where it could be seen: see `PostgresNode`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from harness.errors import NotSimulated
from harness.sim.postgres import messages
from harness.sim.postgres.session import Session

_PREFIX = b"paychaos_"
HIDDEN = 2
"""How many messages of an answer `preparation` adds: CloseComplete and ParseComplete."""


class Prepared(NamedTuple):
    """name: of the statement in every real session. body: SQL, zero byte, parameter types, as in Parse.

    reply: what the server says to Parse and Describe.
    """

    name: bytes
    body: bytes
    reply: bytes

    def preparation(self) -> bytes:
        """The messages that prepare it, also in a session where another process already did."""
        return messages.message(b"C", b"S" + self.name + b"\0") + _parse(self.name, self.body)


class Descriptions:
    """What the server says to each statement, for all sessions with one start-up packet."""

    def __init__(self, open_session: Callable[[bytes], Session]) -> None:
        self._open = open_session
        self._known: dict[tuple[bytes, bytes], Prepared | None] = {}
        self._helpers: dict[bytes, Session] = {}

    def find(self, packet: bytes, body: bytes) -> Prepared | None:
        """The answer for a session that was started with `packet`; None when the server refuses the statement."""
        key = (packet, body)
        if key not in self._known:
            self._known[key] = self._ask(packet, body)
        return self._known[key]

    def known(self) -> Iterable[tuple[bytes, bytes]]:
        """Start-up packet and body of everything that was found."""
        return [key for key, prepared in self._known.items() if prepared is not None]

    def _ask(self, packet: bytes, body: bytes) -> Prepared | None:
        helper = self._helpers.get(packet)
        if helper is None or not helper.alive():
            helper = self._helpers[packet] = self._open(packet)
        name = _PREFIX + hashlib.blake2b(body, digest_size=12).hexdigest().encode()
        helper.send(_parse(b"", body) + messages.message(b"D", b"S\0") + messages.SYNC)
        answer = helper.wait()
        if answer.error is not None:
            return None
        return Prepared(name, body, answer.data[: -len(messages.READY)])

    def drop_sessions(self) -> None:
        """What is known stays true; the helpers' sessions do not."""
        for helper in self._helpers.values():
            helper.drop()
        self._helpers.clear()


def prepare(statements: Sequence[Prepared], sessions: Sequence[Session]) -> None:
    """Prepares ahead what the sessions do not have."""
    for session in sessions:
        missing = [prepared for prepared in statements if prepared.name not in session.prepared]
        if missing:
            session.send(b"".join(prepared.preparation() for prepared in missing) + messages.SYNC)
            if session.wait().error is None:
                session.prepared.update(prepared.name for prepared in missing)


def _parse(name: bytes, body: bytes) -> bytes:
    return messages.message(b"P", name + b"\0" + body)


_DEALLOCATE = re.compile(r"\bdeallocate\s+(?:prepare\s+)?(?:\"([^\"]+)\"|(\w+))", re.IGNORECASE)
_DISCARD = re.compile(r"\bdiscard\s+all\b", re.IGNORECASE)


def forgotten(sql: str, statements: dict[bytes, Prepared]) -> None:
    """Takes out of a client's `statements` what `sql` may make the server forget.

    Raises `NotSimulated` for DEALLOCATE of one that only we know by that name.
    """
    if _DISCARD.search(sql):
        statements.clear()
    for quoted, plain in _DEALLOCATE.findall(sql):
        name = quoted or plain.lower()
        if name == "all":
            statements.clear()
        elif name.encode() in statements:
            raise NotSimulated(
                f"DEALLOCATE {name}, a statement that the driver prepared", "Let the driver close it."
            )
