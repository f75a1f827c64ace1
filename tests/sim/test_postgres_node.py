"""The PostgreSQL node: requests are forwarded, answered, refused; notifications, death and power cuts."""

import struct
from collections.abc import Iterator

import pytest

from harness.errors import NotSimulated
from harness.sim.postgres import messages
from tests.sim.postgres_world import (
    FLUSH,
    SYNC,
    FakeWire,
    PostgresWorld,
    Reply,
    bind,
    database,
    describe,
    execute,
    parse,
)

SCHEMA = """
create table accounts (id int primary key, balance int not null);
insert into accounts values (1, 100), (2, 200), (3, 300);
create table jobs (id serial primary key, state text not null default 'new');
create unlogged table scratch (id int);
create function shout() returns trigger language plpgsql as $$
begin perform pg_notify('jobs', new.id::text); return new; end $$;
create trigger shout after insert on jobs for each row execute function shout();
"""


@pytest.fixture
def world() -> Iterator[PostgresWorld]:
    with PostgresWorld(database(SCHEMA)) as world:
        yield world


def balances(world: PostgresWorld) -> list[int]:
    return [row["balance"] for row in world.database.query("select balance from accounts order by id")]


# --- the protocol


def test_ssl_and_gss_requests_are_declined_and_the_start_up_follows(world: PostgresWorld) -> None:
    fresh, wire = world.node.conversation(), FakeWire("api")
    world.node.opened(wire)
    for code in (80877103, 80877104):
        for frame in fresh.from_client(struct.pack("!ii", 8, code)):
            world.node.received(wire, frame)
    assert wire.replies == [b"N", b"N"]


def test_start_up_tells_a_virtual_pid_that_grows_with_every_connection(world: PostgresWorld) -> None:
    one, other = world.link("api"), world.link("worker")
    assert one.ask("select pg_backend_pid()").value == "1001"
    assert other.ask("select pg_backend_pid()").value == "1002"
    assert one.startup is not None
    assert b"server_version\x0018." in one.startup
    assert struct.pack("!i", 1001) in one.startup


def test_the_start_up_of_a_warm_session_is_that_of_a_new_one() -> None:
    replies = []
    for _ in range(2):
        with PostgresWorld(database(SCHEMA)) as world:
            replies.append([world.link("api").startup for _ in range(2)])
    assert replies[0] == replies[1]


def test_an_unknown_user_is_refused_in_postgresqls_words(world: PostgresWorld) -> None:
    link = world.link("api", user="nobody_here")
    assert Reply(link.startup or b"").error["M"] == 'role "nobody_here" does not exist'
    assert link.wire.closed


def test_an_unknown_database_is_refused_in_postgresqls_words(world: PostgresWorld) -> None:
    link = world.link("api", database="elsewhere")
    error = Reply(link.startup or b"").error
    assert (error["C"], error["M"]) == ("3D000", 'database "elsewhere" does not exist')


def test_asyncpgs_flow_of_parse_flush_bind_sync_is_answered_step_by_step(world: PostgresWorld) -> None:
    link = world.link("api")
    prepared = link.raw(parse("select balance from accounts where id = $1", "s1") + describe("s1") + FLUSH)
    assert prepared is not None
    assert prepared[:5] == b"1\0\0\0\x04"
    assert link.raw(bind("2", name="s1") + execute() + SYNC) == (
        b"2\0\0\0\x04" + b"D\0\0\0\x0d\0\x01\0\0\0\x03200" + b"C\0\0\0\x0dSELECT 1\0" + b"Z\0\0\0\x05I"
    )


def test_after_a_failed_parse_the_server_is_silent_until_sync(world: PostgresWorld) -> None:
    link = world.link("api")
    failed = link.raw(parse("selekt 1", "s1") + describe("s1") + FLUSH)
    assert Reply(failed or b"").error["C"] == "42601"
    assert link.raw(parse("select 1", "s2") + describe("s2") + FLUSH) == b""
    assert link.raw(SYNC) == b"Z\0\0\0\x05I"
    assert link.ask("select 7").value == "7"


def test_a_client_that_dies_after_a_failed_parse_leaves_a_usable_session(world: PostgresWorld) -> None:
    for _ in range(2):
        link = world.link("api")
        link.raw(parse("selekt 1", "s1") + describe("s1") + FLUSH)
        link.close()
    assert world.link("api").ask("select 1").value == "1"


def test_pipelined_groups_are_answered_one_by_one_even_behind_a_waiting_query(world: PostgresWorld) -> None:
    holder, waiter = world.link("api"), world.link("worker")
    holder.ask("begin; update accounts set balance = 1 where id = 1")
    assert waiter.send("update accounts set balance = balance + 1 where id = 1") is None
    assert waiter.raw(messages.query("select 'a'") + messages.query("select 'b'")) is None
    holder.ask("commit")
    assert [Reply(reply).tags for reply in waiter.wire.replies[1:]] == [
        ["UPDATE 1"],
        ["SELECT 1"],
        ["SELECT 1"],
    ]


def test_no_id_of_a_table_reaches_a_client(world: PostgresWorld) -> None:
    described = (
        world.link("api").raw(parse("select balance from accounts", "s") + describe("s") + FLUSH) or b""
    )
    at = described.index(b"balance\0") + len(b"balance\0")
    assert struct.unpack_from("!Ih", described, at) == (0, 0)


def test_terminate_ends_the_connection_and_rolls_back(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("begin; update accounts set balance = 0 where id = 1")
    link.raw(messages.message(b"X", b""))
    assert link.wire.closed
    assert balances(world) == [100, 200, 300]


# --- notifications


def test_a_notification_reaches_every_idle_listener_in_the_order_of_connections(world: PostgresWorld) -> None:
    sender, one, two = world.link("api"), world.link("one"), world.link("two")
    two.ask("listen jobs")
    one.ask("listen jobs")
    sender.ask("begin; insert into jobs default values")
    assert one.wire.pushed == []
    sender.ask("commit")
    pushed = b"A\0\0\0\x0f" + struct.pack("!i", 1001) + b"jobs\x001\0"
    assert one.wire.pushed == [pushed]
    assert two.wire.pushed == [pushed]


def test_a_listener_inside_a_transaction_hears_after_its_end(world: PostgresWorld) -> None:
    sender, listener = world.link("api"), world.link("worker")
    listener.ask("listen news")
    listener.ask("begin")
    sender.ask("notify news, 'first'; notify news, 'second'")
    assert listener.wire.pushed == []
    listener.ask("commit")
    assert [push[9:] for push in listener.wire.pushed] == [b"news\x00first\0", b"news\x00second\0"]


# --- death and power cuts


def test_the_death_of_a_client_frees_its_locks(world: PostgresWorld) -> None:
    dying, waiter = world.link("api"), world.link("worker")
    dying.ask("begin; update accounts set balance = 0 where id = 1")
    assert waiter.send("update accounts set balance = balance + 1 where id = 1") is None
    dying.close()
    late = waiter.late()
    assert late is not None
    assert balances(world)[0] == 101


def test_the_waiting_query_of_a_dead_client_still_runs_as_in_postgresql(world: PostgresWorld) -> None:
    holder, dying = world.link("api"), world.link("worker")
    holder.ask("begin; update accounts set balance = 5 where id = 1")
    assert dying.send("update accounts set balance = balance + 1 where id = 1") is None
    dying.close()
    holder.ask("commit")
    assert balances(world)[0] == 6
    assert dying.wire.replies == [dying.startup]


def test_a_power_cut_keeps_what_was_committed_and_nothing_else(world: PostgresWorld) -> None:
    one, two = world.link("api"), world.link("worker")
    one.ask("update accounts set balance = 1 where id = 1")
    one.ask("begin; update accounts set balance = 2 where id = 2")
    assert two.send("update accounts set balance = 3 where id = 2") is None
    world.node.crash()
    assert one.wire.aborted
    assert two.wire.aborted
    refused = FakeWire("api")
    world.node.opened(refused)
    assert refused.aborted
    world.node.restart()
    assert world.link("api").ask("select balance from accounts order by id").rows == [
        ("1",),
        ("200",),
        ("300",),
    ]


def test_a_power_cut_empties_unlogged_tables(world: PostgresWorld) -> None:
    world.link("api").ask("insert into scratch values (1); insert into jobs default values")
    world.node.crash()
    assert world.database.query(
        "select (select count(*) from scratch) as s, (select count(*) from jobs) as j"
    ) == [{"s": 0, "j": 1}]


# --- what is refused

IDS = "Transaction ids differ from run to run: use a sequence or a column of your own."
WORD = "Write now(), or 'now'::text if it is only a word."


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "select txid_current()",
            "not simulated: the function txid_current(). " + IDS,
        ),
        (
            "copy accounts to stdout",
            "not simulated: COPY between client and server. Use INSERT, or SELECT.",
        ),
        (
            "select xmin from accounts",
            "not simulated: the system column xmin. " + IDS,
        ),
        (
            "select lo_create(1)",
            "not simulated: the function lo_create(). Large objects are not simulated: use a bytea column.",
        ),
        (
            "insert into jobs (state) values ('now')",
            "not simulated: the literal 'now', which may be read as a time. " + WORD,
        ),
        (
            "create role reader",
            "not simulated: CREATE ROLE during a run. It outlives the run: put it into the target's schema.",
        ),
    ],
)
def test_what_would_differ_from_run_to_run_is_refused(world: PostgresWorld, sql: str, message: str) -> None:
    with pytest.raises(NotSimulated) as caught:
        world.link("api").send(sql)
    assert str(caught.value) == message


def test_a_type_made_during_the_run_is_refused(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("create type colour as enum ('red')")
    with pytest.raises(NotSimulated, match="of a type that was created during the run"):
        link.send("select 'red'::colour")


def test_a_replication_connection_is_refused(world: PostgresWorld) -> None:
    with pytest.raises(NotSimulated, match="a replication connection"):
        world.link("api", replication="database")
