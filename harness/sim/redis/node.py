"""The simulated Redis as a node of the world: its connections, and what a scenario does to it."""

from collections.abc import Callable
from typing import Any

from harness.sim.redis.blocking import Waiters
from harness.sim.redis.borrowed import compile_pattern, standing_in
from harness.sim.redis.keyspace import Keyspace, VirtualDatabase
from harness.sim.redis.pubsub import Channels
from harness.sim.redis.reply import encode
from harness.sim.redis.scripting import Scripts
from harness.sim.redis.session import Session
from harness.sim.redis.snapshot import as_json
from harness.sim.service import Host, Timer, Wire
from harness.wire import Conversation, Frame
from harness.wire.resp import RespConversation, read_command


class RedisNode:
    """A redis-server 6.2 without persistence, in virtual time. Implements `harness.sim.service.Service`.

    Commands run one at a time, in the order in which they are delivered. `NotSimulated` comes out of `received`
    for whatever the simulation does not model.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._down = False
        self.reset()

    def reset(self) -> None:
        """A fresh server for a fresh run: no keys, no scripts, no clients, running. Open wires are forgotten."""
        self._down = False
        self._sessions: dict[Wire, Session] = {}
        self._backlog: dict[Session, list[list[bytes]]] = {}
        self._unblocked: list[Session] = []
        self._last_number = 0
        self._empty()

    def conversation(self) -> Conversation:
        """A fresh reader for one connection."""
        return RespConversation()

    def opened(self, wire: Wire) -> None:
        """A client has connected; one that still gets through to a server that is down is reset."""
        if self._down:
            wire.abort()
            return
        self._last_number += 1
        self._sessions[wire] = Session(
            wire, self._last_number, self._keyspace, self._waiters, self._channels, self._scripts
        )

    def received(self, wire: Wire, request: Frame) -> None:
        """Executes one command. Commands behind a blocking one wait until that one is answered."""
        command = read_command(request.data)
        session = self._sessions.get(wire)
        if command is None or session is None or not command[0]:
            return
        if session in self._waiters.parked:
            self._backlog.setdefault(session, []).append(command[0])
            return
        self._now(lambda: self._execute(session, command[0]))

    def closed(self, wire: Wire) -> None:
        """The client is gone: its watches, subscriptions and blocking commands end."""
        session = self._sessions.pop(wire, None)
        if session is not None:
            session.close()
            self._backlog.pop(session, None)

    @property
    def is_down(self) -> bool:
        """Whether connections are refused."""
        return self._down

    def expire(self, pattern: str) -> list[str]:
        """The time to live of all matching keys runs out now. Keys without one cannot expire and stay.

        pattern: a glob as KEYS takes it. Returns the keys, sorted.
        """
        return self._remove("expire", pattern, lambda expireat: expireat is not None)

    def evict(self, pattern: str) -> list[str]:
        """All matching keys are evicted, as under memory pressure. Returns the keys, sorted."""
        return self._remove("evict", pattern, lambda expireat: True)

    def flush(self) -> None:
        """All keys of all databases are lost; the server goes on."""
        self._host.note(
            "redis.flush", keys=sum(len(database.peek()) for database in self._keyspace.dbs.values())
        )
        self._now(self._keyspace.flush)

    def down(self) -> None:
        """The server stops answering: every connection breaks and new ones are refused. Its keys are kept."""
        self._host.note("redis.down")
        self._down = True
        self._break_wires()

    def up(self) -> None:
        """The opposite of `down` and of `crash`: connections are accepted again."""
        self._host.note("redis.up")
        self._down = False

    def crash(self) -> None:
        """A power cut: `down`, and as nothing is persisted, all keys and scripts are lost too."""
        self._host.note("redis.crash")
        self._down = True
        self._break_wires()
        self._empty()

    def snapshot(self) -> dict[str, object]:
        """Every live key with its type, JSON-able value and remaining life in microseconds (None: no expiry).

        `{"corr:42": {"type": "string", "value": "paid", "ttl_us": 29000000}}`; keys of another database than 0 are
        named `db3/key`. Observing expires and changes nothing.
        """
        self._keyspace.set_time(self._host.now_us)
        seen: dict[str, object] = {}
        for number, database in sorted(self._keyspace.dbs.items()):
            prefix = f"db{number}/" if number else ""
            for key, item in sorted(database.peek(), key=lambda pair: pair[0]):
                seen[prefix + _text(key)] = as_json(item, self._host.now_us)
        return seen

    def _empty(self) -> None:
        self._waiters = Waiters(self._later, self._answer)
        self._channels = Channels()
        self._scripts = Scripts()
        self._keyspace = Keyspace(self._waiters.key_changed, self._key_expired)

    def _now(self, work: Callable[[], None]) -> None:
        """Runs `work` at the present virtual time, serves those who waited for what it did, and lets them go on."""

        def worked() -> None:
            work()
            self._waiters.serve()
            while self._unblocked:
                self._go_on(self._unblocked.pop(0))

        now_us = self._host.now_us
        self._keyspace.set_time(now_us)
        standing_in(now_us, self._host.random, worked)

    def _execute(self, session: Session, words: list[bytes]) -> None:
        reply = session.execute(words)
        if reply is not None:
            session.wire.reply(reply)
        if session.closing:
            self.closed(session.wire)
            session.wire.close()

    def _answer(self, session: Session, value: Any) -> None:
        """Ends a blocking command."""
        session.wire.reply(encode(value, session.resp))
        self._unblocked.append(session)

    def _go_on(self, session: Session) -> None:
        """Executes what a client has sent while it was blocked, up to the next command that blocks it."""
        backlog = self._backlog.pop(session, [])
        while backlog and session.wire in self._sessions and session not in self._waiters.parked:
            self._execute(session, backlog.pop(0))
            self._waiters.serve()
        if backlog and session.wire in self._sessions:
            self._backlog[session] = backlog

    def _later(self, delay_us: int, callback: Callable[[], None]) -> Timer:
        return self._host.call_later(delay_us, lambda: self._now(callback))

    def _key_expired(self, database: VirtualDatabase, key: bytes) -> None:
        self._host.note("redis.expired", key=_text(key), db=database.number)

    def _remove(self, fault: str, pattern: str, concerns: Callable[[int | None], bool]) -> list[str]:
        self._keyspace.set_time(self._host.now_us)
        glob = compile_pattern(pattern.encode())
        found = [
            (database, key)
            for _, database in sorted(self._keyspace.dbs.items())
            for key, item in database.peek()
            if concerns(item.expireat) and glob.match(key)
        ]
        names = sorted(_text(key) for _, key in found)
        self._host.note(f"redis.{fault}", pattern=pattern, keys=", ".join(names))

        def drop() -> None:
            for database, key in found:
                database.drop(key)

        self._now(drop)
        return names

    def _break_wires(self) -> None:
        wires = list(self._sessions)
        for wire in wires:
            self.closed(wire)
        for wire in wires:
            wire.abort()


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")
