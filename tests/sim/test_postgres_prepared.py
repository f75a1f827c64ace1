"""Preparing is answered from memory only where nobody can tell: the same bytes, errors, locks and snapshots."""

import struct
from collections.abc import Iterator

import pytest

from harness.errors import NotSimulated
from harness.sim.postgres import messages
from tests.sim.postgres_world import (
    FLUSH,
    SYNC,
    Link,
    PostgresWorld,
    Reply,
    bind,
    database,
    describe,
    execute,
    parse,
)

SCHEMA = """
create table accounts (id int primary key, owner text, balance numeric(10, 2));
insert into accounts values (1, 'ana', 1.50), (2, 'ben', 2);
create schema other;
create table other.accounts (id int, nothing_else text);
"""
SQL = "select owner, balance from accounts where id = $1"


@pytest.fixture
def world() -> Iterator[PostgresWorld]:
    with PostgresWorld(database(SCHEMA)) as world:
        yield world


def prepare(link: Link, sql: str = SQL, name: str = "s1", end: bytes = FLUSH) -> bytes:
    return link.raw(parse(sql, name) + describe(name) + end) or b""


def run(link: Link, *values: str, name: str = "s1") -> Reply:
    return Reply(link.raw(bind(*values, name=name) + execute() + SYNC) or b"")


def is_remembered(link: Link, name: str = "s1") -> bool:
    return name.encode() in link.world.node._clients[link.wire].statements


def test_the_remembered_answer_is_the_servers(world: PostgresWorld) -> None:
    remembering, forwarding = world.link("api"), world.link("worker")
    forwarding.ask("set search_path = public")
    answers = [prepare(link) for link in (remembering, forwarding)]
    assert is_remembered(remembering)
    assert not is_remembered(forwarding)
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"1\0\0\0\x04t")
    assert [run(link, "1").rows for link in (remembering, forwarding)] == [[("ana", "1.50")]] * 2


def test_a_sync_gets_its_ready_for_query(world: PostgresWorld) -> None:
    link = world.link("api")
    assert prepare(link, end=SYNC).endswith(b"Z\0\0\0\x05I")
    link.ask("begin")
    assert prepare(link, name="s2", end=SYNC).endswith(b"Z\0\0\0\x05T")
    assert run(link, "2", name="s2").rows == [("ben", "2.00")]


def test_runs_and_sessions_share_what_is_known() -> None:
    seen = []
    for _ in range(3):
        with PostgresWorld(database(SCHEMA)) as world:
            links = [world.link(f"node-{n}") for n in range(3)]
            seen.append([(prepare(link), run(link, "1").data, run(link, "2").data) for link in links])
    assert seen[0] == seen[1] == seen[2]


def test_one_statement_may_have_several_names_and_a_name_several_statements(world: PostgresWorld) -> None:
    link = world.link("api")
    prepare(link, name="a")
    prepare(link, name="b")
    assert run(link, "1", name="a").rows == run(link, "1", name="b").rows
    assert link.raw(messages.message(b"C", b"Sa\0") + SYNC) == b"3\0\0\0\x04Z\0\0\0\x05I"
    assert run(link, "1", name="a").error["C"] == "26000"
    prepare(link, "select $1::int + 1", name="a")
    assert run(link, "1", name="a").rows == [("2",)]


def test_the_unnamed_statement_is_replaced_by_the_next(world: PostgresWorld) -> None:
    link = world.link("api")
    prepare(link, name="")
    group = parse("select 'other'") + bind() + execute() + SYNC
    assert Reply(link.raw(group) or b"").rows == [("other",)]
    assert run(link, name="").rows == [("other",)]


def test_errors_carry_the_clients_name_for_the_statement(world: PostgresWorld) -> None:
    link = world.link("api")
    prepare(link, name="asyncpg_7")
    assert run(link, "1", "2", name="asyncpg_7").error["M"] == (
        'bind message supplies 2 parameters, but prepared statement "asyncpg_7" requires 1'
    )
    assert run(link, "1", name="asyncpg_7").rows == [("ana", "1.50")]


def test_a_statement_that_the_server_refuses_is_refused_by_it(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("begin")
    assert Reply(prepare(link, "select missing from accounts")).error["P"] == "8"
    link.raw(SYNC)
    assert Reply(prepare(link)).error["C"] == "25P02"
    link.raw(SYNC)
    link.ask("rollback")
    prepare(link)
    assert run(link, "1").rows == [("ana", "1.50")]


def test_a_temporary_table_is_known_to_its_session_only(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("select 1 as one into temp mine")
    assert b"one\0" in prepare(link, "select one from mine")
    assert run(link).rows == [("1",)]


def test_after_a_change_of_the_catalogue_the_server_is_asked_again(world: PostgresWorld) -> None:
    one, two = world.link("api"), world.link("worker")
    sql = "select * from accounts"
    assert b"note\0" not in prepare(one, sql)
    two.ask("alter table accounts add note text")
    assert b"note\0" in prepare(one, sql, name="s2")
    assert not is_remembered(one, "s2")


def test_a_locked_table_makes_preparing_wait(world: PostgresWorld) -> None:
    holder, waiter = world.link("api"), world.link("worker")
    prepare(waiter)
    holder.ask("begin; lock table accounts in access exclusive mode")
    assert waiter.raw(parse(SQL, "s2") + describe("s2") + FLUSH) is None
    holder.ask("commit")
    late = waiter.late()
    assert late is not None
    assert late.data == prepare(waiter, name="s3")


def test_the_schema_in_the_search_path_decides(world: PostgresWorld) -> None:
    link = world.link("api", search_path="other")
    assert b"nothing_else\0" in prepare(link, "select * from accounts")


@pytest.mark.parametrize(
    "begin", ["begin isolation level repeatable read", "begin isolation level serializable"]
)
def test_a_snapshot_begins_when_the_first_statement_is_prepared(world: PostgresWorld, begin: str) -> None:
    reader, writer = world.link("api"), world.link("worker")
    reader.ask(begin)
    prepare(reader, "select balance from accounts where id = 1")
    writer.ask("update accounts set balance = 9 where id = 1")
    assert run(reader).rows == [("1.50",)]


def test_read_committed_sees_what_was_committed_before_the_execution(world: PostgresWorld) -> None:
    reader, writer = world.link("api"), world.link("worker")
    reader.ask("begin isolation level read committed")
    prepare(reader, "select balance from accounts where id = 1")
    assert is_remembered(reader)
    writer.ask("update accounts set balance = 9 where id = 1")
    assert run(reader).rows == [("9.00",)]


def test_discard_all_forgets_every_statement(world: PostgresWorld) -> None:
    link = world.link("api")
    prepare(link)
    link.ask("discard all")
    assert run(link, "1").error["C"] == "26000"
    prepare(link)
    assert run(link, "1").rows == [("ana", "1.50")]


def test_deallocating_a_drivers_statement_is_refused(world: PostgresWorld) -> None:
    link = world.link("api")
    prepare(link)
    with pytest.raises(NotSimulated) as caught:
        link.send("deallocate s1")
    assert str(caught.value) == (
        "not simulated: DEALLOCATE s1, a statement that the driver prepared. Let the driver close it."
    )


def test_what_a_run_demanded_is_ready_for_the_next() -> None:
    made = database(SCHEMA)
    with PostgresWorld(made) as world:
        link = world.link("api")
        first = prepare(link, "select 'only here', $1::int")
        demand = made.demand()
    packet = messages.startup({"user": "app", "database": made.name})
    statement = packet + parse("select 'only here', $1::int")
    assert demand[packet] == 1
    assert demand[statement] == 1
    made.recover()
    made.warm(demand)
    with PostgresWorld(made) as world:
        link = world.link("api")
        (session,) = [client.session for client in world.node.clients()]
        assert session.prepared
        assert prepare(link, "select 'only here', $1::int") == first
        assert run(link, "5").rows == [("only here", "5")]


def test_parameter_types_of_the_client_are_part_of_the_statement(world: PostgresWorld) -> None:
    link = world.link("api")
    typed = []
    for name, oid in (("a", 25), ("b", 20)):
        message = messages.message(b"P", f"{name}\0select $1\0".encode() + struct.pack("!hI", 1, oid))
        typed.append(link.raw(message + describe(name) + FLUSH))
    assert typed[0] != typed[1]
