"""The reader of PostgreSQL's protocol: what it is fed comes out again as named requests and replies."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from harness.sim.postgres import messages
from harness.wire import Frame, WireError
from harness.wire.postgres import PostgresConversation
from tests.sim.postgres_world import FLUSH, SYNC, bind, cluster, describe, execute, parse, plain

START = messages.startup({"user": "app", "database": "app"})
AUTHENTICATED = messages.message(b"R", struct.pack("!i", 0)) + messages.message(b"Z", b"I")
READY = messages.message(b"Z", b"I")
PARSED = messages.message(b"1", b"")
BOUND = messages.message(b"2", b"")
ERROR = messages.error({"S": "ERROR", "C": "42601", "M": "no"})


def done(tag: str) -> bytes:
    return messages.message(b"C", tag.encode() + b"\0")


def started() -> PostgresConversation:
    conversation = PostgresConversation()
    conversation.from_client(START)
    conversation.from_server(AUTHENTICATED)
    return conversation


def kinds(frames: list[Frame]) -> list[str]:
    return [frame.kind for frame in frames]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (messages.query("update orders set a = 1"), "UPDATE orders"),
        (messages.query("begin; select 1 from orders"), "BEGIN"),
        (parse("update orders set a = 1", "s") + describe("s") + FLUSH, "PREPARE UPDATE orders"),
        (parse("select 1 from orders") + bind() + describe(what="P") + execute() + SYNC, "SELECT orders"),
        (messages.message(b"C", b"Ss\0") + SYNC, "CLOSE"),
        (SYNC, "SYNC"),
        (messages.message(b"X", b""), "TERMINATE"),
        (messages.message(b"p", b"secret\0"), "PASSWORD"),
        (messages.message(b"d", b"1\n") + messages.message(b"c", b""), "COPY DATA"),
        (execute("p") + SYNC, "FETCH EXECUTE"),
    ],
)
def test_a_request_is_a_group_of_messages_named_by_what_it_asks(data: bytes, kind: str) -> None:
    (frame,) = started().from_client(data)
    assert frame == Frame(kind, data, answered=kind != "TERMINATE")


def test_executing_a_named_statement_is_named_by_its_sql() -> None:
    conversation = started()
    conversation.from_client(parse("insert into orders values ($1)", "s") + describe("s") + FLUSH)
    assert kinds(conversation.from_client(bind("1", name="s") + execute() + SYNC)) == ["INSERT orders"]
    conversation.from_client(bind("1", name="s", portal="c") + SYNC)
    assert kinds(conversation.from_client(execute("c", 10) + SYNC)) == ["FETCH INSERT orders"]


def test_pipelined_groups_are_separate_requests() -> None:
    one = parse("select 1 from a") + bind() + execute() + SYNC
    two = parse("select 2 from b") + bind() + execute() + SYNC
    assert kinds(started().from_client(one + two)) == ["SELECT a", "SELECT b"]


def test_the_unencrypted_beginning_is_read_packet_by_packet() -> None:
    conversation = PostgresConversation()
    ssl, gss = (struct.pack("!ii", 8, code) for code in (80877103, 80877104))
    assert conversation.from_client(ssl + gss + START) == [
        Frame("SSL", ssl),
        Frame("GSS", gss),
        Frame("STARTUP", START),
    ]
    replies = conversation.from_server(b"NN" + AUTHENTICATED)
    assert kinds(replies) == ["SSL", "GSS", "STARTUP"]
    assert [frame.data for frame in replies] == [b"N", b"N", AUTHENTICATED]


def test_an_encrypted_connection_cannot_be_read() -> None:
    conversation = PostgresConversation()
    conversation.from_client(struct.pack("!ii", 8, 80877103))
    with pytest.raises(WireError, match="Connect with sslmode=disable and gssencmode=disable"):
        conversation.from_server(b"S")


def test_a_cancel_request_is_never_answered() -> None:
    data = struct.pack("!iiii", 16, 80877102, 1001, 7)
    assert PostgresConversation().from_client(data) == [Frame("CANCEL", data, answered=False)]


def test_a_password_exchange_is_answered_step_by_step() -> None:
    conversation = PostgresConversation()
    conversation.from_client(START)
    ask = messages.message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")
    go_on = messages.message(b"R", struct.pack("!i", 11) + b"r=1")
    final = messages.message(b"R", struct.pack("!i", 12) + b"v=1") + AUTHENTICATED
    assert kinds(conversation.from_server(ask)) == ["STARTUP"]
    for answer in (go_on, final):
        conversation.from_client(messages.message(b"p", b"..."))
        assert conversation.from_server(answer) == [Frame("PASSWORD", answer, answered=False)]


def test_a_flush_group_is_answered_without_ready_for_query() -> None:
    conversation = started()
    conversation.from_client(parse("select 1 from a", "s") + describe("s") + FLUSH)
    answer = PARSED + messages.message(b"t", b"\0\0") + messages.message(b"n", b"")
    assert conversation.from_server(answer[:-1]) == []
    assert conversation.from_server(answer[-1:]) == [Frame("PREPARE SELECT a", answer, answered=False)]


def test_after_an_error_flush_groups_are_answered_by_nothing_until_sync() -> None:
    conversation = started()
    for sql in ("select 1 from a", "select 1 from b"):
        conversation.from_client(parse(sql, "s") + describe("s") + FLUSH)
    conversation.from_client(SYNC)
    replies = conversation.from_server(ERROR + READY)
    assert [(frame.kind, frame.data) for frame in replies] == [
        ("PREPARE SELECT a", ERROR),
        ("PREPARE SELECT b", b""),
        ("SYNC", READY),
    ]


def test_what_nobody_asked_for_is_a_push() -> None:
    conversation = started()
    notification = messages.message(b"A", struct.pack("!i", 7) + b"jobs\x001\0")
    assert conversation.from_server(notification) == [Frame("NOTIFY jobs", notification, False, True)]
    assert kinds(conversation.from_server(ERROR)) == ["ERROR"]


def test_a_notification_before_the_first_byte_of_a_reply_is_a_push_of_its_own() -> None:
    conversation = started()
    conversation.from_client(messages.query("notify jobs"))
    notification = messages.message(b"A", struct.pack("!i", 7) + b"jobs\0\0")
    reply = done("NOTIFY") + READY
    assert [(f.kind, f.push) for f in conversation.from_server(notification + reply)] == [
        ("NOTIFY jobs", True),
        ("NOTIFY jobs", False),
    ]


def test_copy_in_is_a_request_that_asks_for_data_and_then_one_that_brings_it() -> None:
    conversation = started()
    conversation.from_client(messages.query("copy orders from stdin"))
    ready = messages.message(b"G", b"\0\0\0")
    assert kinds(conversation.from_server(ready)) == ["COPY orders"]
    conversation.from_client(messages.message(b"d", b"1\n") + messages.message(b"c", b""))
    assert kinds(conversation.from_server(done("COPY 1") + READY)) == ["COPY DATA"]


def test_copy_out_is_one_reply() -> None:
    conversation = started()
    conversation.from_client(messages.query("copy orders to stdout"))
    data = messages.message(b"H", b"\0\0\0") + messages.message(b"d", b"1\n") + messages.message(b"c", b"")
    assert kinds(conversation.from_server(data + done("COPY 1") + READY)) == ["COPY orders"]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_bytes_may_come_in_any_pieces(size: int) -> None:
    conversation = PostgresConversation()
    group = parse("select 1 from a") + bind() + execute() + SYNC
    reply = PARSED + BOUND + done("SELECT 0") + READY
    requests = [f for piece in pieces(START + group, size) for f in conversation.from_client(piece)]
    replies = [f for piece in pieces(AUTHENTICATED + reply, size) for f in conversation.from_server(piece)]
    assert [frame.data for frame in requests] == [START, group]
    assert [frame.data for frame in replies] == [AUTHENTICATED, reply]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", struct.pack("!ii", 8, 4 << 16)])
def test_another_protocol_is_told_at_once(data: bytes) -> None:
    with pytest.raises(WireError, match="is not of the PostgreSQL protocol, version 3"):
        PostgresConversation().from_client(data)


# --- asyncpg, recorded


class Recorder:
    """Stands between asyncpg and a real server, and keeps what both said."""

    def __init__(self) -> None:
        self.fed = {"client": bytearray(), "server": bytearray()}
        self.requests: list[Frame] = []
        self.replies: list[Frame] = []
        self.conversation = PostgresConversation()
        self.over = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> None:
        from_server, to_server = await asyncio.open_unix_connection(target)
        await asyncio.gather(
            self._pump("client", reader, to_server), self._pump("server", from_server, writer)
        )
        self.over.set()

    async def _pump(self, side: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.fed[side] += data
            read = self.conversation.from_client if side == "client" else self.conversation.from_server
            (self.requests if side == "client" else self.replies).extend(read(data))
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


def record(folder: Path, use: Callable[[asyncpg.Connection], Awaitable[None]]) -> Recorder:
    name = plain("create table orders (id int primary key, state text)")
    recorder = Recorder()

    async def run() -> None:
        target = cluster().socket_path
        server = await asyncio.start_unix_server(
            lambda reader, writer: recorder.serve(reader, writer, target), folder / ".s.PGSQL.5432"
        )
        async with server:
            connection = await asyncpg.connect(host=str(folder), user="postgres", database=name)
            await use(connection)
            await connection.close()
            await recorder.over.wait()

    asyncio.run(run())
    return recorder


async def everything(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        await connection.execute("insert into orders values ($1, $2)", 1, "new")
        await connection.executemany("insert into orders values ($1, $2)", [(n, "x") for n in range(2, 50)])
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("insert into orders values (1, 'again')")
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await connection.fetch("selekt 1 where $1", 1)
    async with connection.transaction():
        async for _ in connection.cursor("select * from orders order by id", prefetch=10):
            pass
    await connection.add_listener("news", lambda *_: None)
    await connection.execute("notify news")
    assert await connection.fetchval("select count(*) from orders") == 49
    await connection.execute("delete from orders")


def test_asyncpgs_conversations_are_read_whole(tmp_path: Path) -> None:
    recorder = record(tmp_path, everything)
    assert b"".join(frame.data for frame in recorder.requests) == bytes(recorder.fed["client"])
    assert b"".join(frame.data for frame in recorder.replies) == bytes(recorder.fed["server"])
    owed = [frame.kind for frame in recorder.requests if frame.answered]
    assert [frame.kind for frame in recorder.replies if not frame.push] == owed
    assert [frame.kind for frame in recorder.replies if frame.push] == [
        "NOTIFY news"
    ] or "LISTEN news" in owed
    for kind in ("STARTUP", "BEGIN", "PREPARE INSERT orders", "INSERT orders", "COMMIT", "LISTEN news"):
        assert kind in owed
    assert "FETCH SELECT orders" in owed
