"""A world for the PostgreSQL node alone: virtual time, wires that keep what they got, and asyncpg-like clients."""

import atexit
import heapq
import struct
from collections.abc import Callable
from functools import cache
from random import Random

from harness.sim.postgres import Database, PostgresCluster, PostgresNode, messages

START_US = 1_790_000_000_000_000
"""2026-09-21 14:13:20 UTC."""


class FakeTimer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class FakeHost:
    """Time moves when `advance` says so."""

    def __init__(self, seed: int = 1) -> None:
        self.now_us = START_US
        self.random = Random(seed)
        self.notes: list[tuple[str, dict[str, object]]] = []
        self._timers: list[tuple[int, int, FakeTimer]] = []
        self._count = 0

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        self._count += 1
        heapq.heappush(self._timers, (self.now_us + delay_us, self._count, timer))
        return timer

    def note(self, kind: str, **detail: str | int | bool | None) -> None:
        self.notes.append((kind, detail))

    def advance(self, delay_us: int) -> None:
        end = self.now_us + delay_us
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            self.now_us = due
            if timer.call is not None:
                timer.call()
        self.now_us = end


class FakeWire:
    def __init__(self, client: str) -> None:
        self.client = client
        self.replies: list[bytes] = []
        self.pushed: list[bytes] = []
        self.closed = False
        self.aborted = False

    def reply(self, data: bytes) -> None:
        assert not self.closed, "a reply after the connection ended"
        assert not self.aborted, "a reply after the connection broke"
        self.replies.append(data)

    def push(self, data: bytes) -> None:
        self.pushed.append(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


class Link:
    """One connection to the node. What was sent is answered at once, or later (`late`)."""

    def __init__(self, world: "PostgresWorld", name: str, **settings: str) -> None:
        self.world = world
        self.wire = FakeWire(name)
        self.conversation = world.node.conversation()
        self._seen = 0
        self.asked = 0
        world.node.opened(self.wire)
        self.startup = self.raw(
            messages.startup({"user": "app", "database": world.database.name, **settings})
        )

    def raw(self, data: bytes) -> bytes | None:
        """Sends bytes; what is answered inside the call, or None."""
        self._seen = len(self.wire.replies)
        for frame in self.conversation.from_client(data):
            self.world.node.received(self.wire, frame)
        return self._new()

    def _new(self) -> bytes | None:
        new = self.wire.replies[self._seen :]
        self._seen = len(self.wire.replies)
        return b"".join(new) if new else None

    def send(self, sql: str) -> "Reply | None":
        """A simple query; None while it waits."""
        data = self.raw(messages.query(sql))
        return None if data is None else Reply(data)

    def ask(self, sql: str) -> "Reply":
        """A simple query that must be answered at once."""
        reply = self.send(sql)
        assert reply is not None, f"{sql!r} waits"
        return reply

    def late(self) -> "Reply | None":
        """What has been answered since the last call, or None."""
        data = self._new()
        return None if data is None else Reply(data)

    def close(self) -> None:
        """The client dies."""
        self.world.node.closed(self.wire)


def parse(sql: str, name: str = "") -> bytes:
    return messages.message(b"P", f"{name}\0{sql}\0".encode() + struct.pack("!h", 0))


def bind(*values: str, name: str = "", portal: str = "") -> bytes:
    bound = b"".join(struct.pack("!i", len(value.encode())) + value.encode() for value in values)
    head = f"{portal}\0{name}\0".encode() + struct.pack("!hh", 0, len(values))
    return messages.message(b"B", head + bound + struct.pack("!h", 0))


def describe(name: str = "", what: str = "S") -> bytes:
    return messages.message(b"D", f"{what}{name}\0".encode())


def execute(portal: str = "", limit: int = 0) -> bytes:
    return messages.message(b"E", f"{portal}\0".encode() + struct.pack("!i", limit))


SYNC = messages.message(b"S", b"")
FLUSH = messages.message(b"H", b"")


class Reply:
    """A reply in the words of a test: rows as tuples of text, the command tag, the error's fields."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.rows: list[tuple[str | None, ...]] = []
        self.tags: list[str] = []
        self.error: dict[str, str] = {}
        self.notices: list[dict[str, str]] = []
        self.status = ""
        at = 0
        while at < len(data):
            end = at + 1 + struct.unpack_from("!i", data, at + 1)[0]
            self._take(data[at : at + 1], data[at + 5 : end])
            at = end

    def _take(self, letter: bytes, body: bytes) -> None:
        if letter == b"D":
            self.rows.append(_row(body))
        elif letter == b"C":
            self.tags.append(body[:-1].decode())
        elif letter == b"E":
            self.error = messages.fields(body)
        elif letter == b"N":
            self.notices.append(messages.fields(body))
        elif letter == b"Z":
            self.status = body.decode()

    @property
    def value(self) -> str | None:
        return self.rows[0][0]


def _row(body: bytes) -> tuple[str | None, ...]:
    (count,) = struct.unpack_from("!h", body)
    at, row = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        row.append(None if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return tuple(row)


class PostgresWorld:
    """One run: a clean database, a node, and as many links as a test wants."""

    def __init__(self, database: Database, seed: int = 1) -> None:
        database.reset()
        self.host = FakeHost(seed)
        self.database = database
        self.node = PostgresNode(self.host, database)

    def __enter__(self) -> "PostgresWorld":
        return self

    def __exit__(self, *_: object) -> None:
        self.node.finish()

    def link(self, name: str = "api", **settings: str) -> Link:
        return Link(self, name, **settings)


@cache
def cluster() -> PostgresCluster:
    """The server that all tests of this process share."""
    server = PostgresCluster()
    server.start()
    atexit.register(server.stop)
    return server


_made: dict[str, Database] = {}


def database(schema_sql: str) -> Database:
    """A database of the shared server with this schema; the same one for the same schema."""
    if schema_sql not in _made:
        _made[schema_sql] = Database(cluster(), schema_sql, name=f"app{len(_made)}")
    return _made[schema_sql]


_plain: dict[str, str] = {}


def plain(schema_sql: str) -> str:
    """The name of a database of the shared server that is PostgreSQL as it comes: nothing of it is virtual."""
    if schema_sql not in _plain:
        name = f"plain{len(_plain)}"
        server = cluster().connect("postgres")
        server.run(f'create database "{name}" template template0')
        server.close()
        session = cluster().connect(name)
        session.run(schema_sql)
        session.close()
        _plain[schema_sql] = name
    return _plain[schema_sql]
