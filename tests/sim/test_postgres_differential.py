"""The simulated link answers as PostgreSQL does: the same scripts, byte by byte, errors and waits included.

The direct arm speaks to a plain database of the same server over its socket; there time-outs are real.
"""

import re
from contextlib import ExitStack

import pytest

from harness.sim.postgres import messages
from harness.sim.postgres.descriptions import neutral
from harness.sim.postgres.session import Session, SessionClosed
from harness.wire.postgres import messages as split
from tests.sim.postgres_scripts import PAUSE, SCHEMA, SCRIPTS
from tests.sim.postgres_world import Link, PostgresWorld, cluster, database, plain

Transcript = list[str]
_FRESH = """
truncate entries, accounts restart identity;
insert into accounts values (1, 'ana', 100), (2, 'ben', 200), (3, 'cem', 300);
"""
# What no two servers share: pids, transaction ids and the ids of databases.
_IDS = re.compile(rb"Process \d+|transaction \d+|process \d+|lock \[\d+")


class Simulated:
    """Plays a script through the node."""

    def __init__(self, stack: ExitStack) -> None:
        self.world = stack.enter_context(PostgresWorld(database(SCHEMA)))
        self.links: dict[str, Link] = {}
        self.waiting: list[str] = []

    def step(self, who: str, sql: str) -> Transcript:
        if who == PAUSE:
            self.world.host.advance(1_000_000)
            return self.late()
        if who not in self.links:
            self.links[who] = self.world.link(who)
        data = self.links[who].raw(messages.query(sql))
        if data is None:
            self.waiting.append(who)
            return [f"{who} waits"]
        return [said(who, data), *self.late()]

    def late(self) -> Transcript:
        """What the waiting have been told since, in the order in which they began to wait."""
        transcript = []
        for who, link in self.links.items():
            pushed, link.wire.pushed = link.wire.pushed, []
            transcript += [said(who, data) for data in pushed]
        for who in list(self.waiting):
            reply = self.links[who].late()
            if reply is not None:
                self.waiting.remove(who)
                transcript.append(said(who, reply.data))
        return transcript


class Direct:
    """Plays a script on real sessions, in real time."""

    def __init__(self, stack: ExitStack) -> None:
        self.name = plain(SCHEMA)
        self.control = self.connect()
        stack.callback(self.close)
        self.control.run(_FRESH)
        self.control.run("prepare waiting (int) as select 1 from pg_locks where not granted and pid = $1")
        self.sessions: dict[str, Session] = {}
        self.waiting: list[str] = []

    def connect(self) -> Session:
        return cluster().connect(self.name)

    def close(self) -> None:
        for session in (*self.sessions.values(), self.control):
            session.drop()

    def step(self, who: str, sql: str) -> Transcript:
        if who == PAUSE:
            return self.pause()
        if who not in self.sessions:
            self.sessions[who] = self.connect()
        self.sessions[who].send(messages.query(sql))
        data = self.answer(who)
        if data is None:
            self.waiting.append(who)
            return [f"{who} waits"]
        return [said(who, data), *self.late()]

    def answer(self, who: str) -> bytes | None:
        """The answer, or None when the session waits for a lock or sleeps."""
        session = self.sessions[who]
        for _ in range(2_000):
            answer = session.poll(2)
            if answer is not None:
                return answer.data
            if self.is_waiting(session) or self.is_sleeping(session):
                return None
        raise AssertionError(f"{who} is neither answered nor waiting")

    def is_waiting(self, session: Session) -> bool:
        return b"SELECT 1" in self.control.run(f"execute waiting({session.real_pid})").data

    def is_sleeping(self, session: Session) -> bool:
        sql = f"select 1 from pg_stat_get_activity({session.real_pid}) where wait_event = 'PgSleep'"
        return b"SELECT 1" in self.control.run(sql).data

    def late(self) -> Transcript:
        transcript = []
        for who in list(self.waiting):
            data = self.answer(who)
            if data is not None:
                self.waiting.remove(who)
                transcript.append(said(who, data))
        return transcript

    def pause(self) -> Transcript:
        """Real time passes until the script's time-out (200 ms) has done its work."""
        transcript = []
        for who, session in list(self.sessions.items()):
            try:
                answer = session.poll(600)
            except SessionClosed as closed:
                transcript.append(said(who, closed.reply))
                self.sessions.pop(who).drop()
                self.waiting = [waiting for waiting in self.waiting if waiting != who]
                continue
            if answer is not None:
                self.waiting.remove(who)
                transcript.append(said(who, answer.data))
        return transcript + self.late()


def said(who: str, data: bytes) -> str:
    """A reply message by message, without lengths and without what no two servers share."""
    words = []
    for letter, at, end in split(data):
        body = neutral(data[at:end], 1 << 32)[5:] if letter == 0x54 else data[at + 5 : end]
        words.append(f"{chr(letter)} {_IDS.sub(b'N', body)!r}")
    return f"{who}: {' '.join(words)}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_arms_answer_the_same(name: str) -> None:
    with ExitStack() as stack:
        simulated, direct = Simulated(stack), Direct(stack)
        for number, (who, sql) in enumerate(SCRIPTS[name], 1):
            ours, theirs = simulated.step(who, sql), direct.step(who, sql)
            assert ours == theirs, f"step {number}: {who}: {sql}"
        assert simulated.waiting == direct.waiting == []
