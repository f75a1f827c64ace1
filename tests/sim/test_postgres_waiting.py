"""Queries that wait: for rows, advisory locks, each other in a circle, or for a time-out; in virtual time."""

import struct
from collections.abc import Iterator

import pytest

from tests.sim.postgres_world import FakeWire, Link, PostgresWorld, Reply, database

SCHEMA = """
create table accounts (id int primary key, balance int not null);
insert into accounts values (1, 100), (2, 200), (3, 300);
"""
SECOND_US = 1_000_000


@pytest.fixture
def world() -> Iterator[PostgresWorld]:
    with PostgresWorld(database(SCHEMA)) as world:
        yield world


def balances(world: PostgresWorld) -> list[int]:
    return [row["balance"] for row in world.database.query("select balance from accounts order by id")]


# --- waiting


def test_a_query_that_waits_for_a_row_is_answered_when_the_row_is_free(world: PostgresWorld) -> None:
    holder, waiter = world.link("api"), world.link("worker")
    holder.ask("begin")
    holder.ask("update accounts set balance = balance - 30 where id = 1")
    assert waiter.send("update accounts set balance = balance - 50 where id = 1") is None
    assert holder.ask("commit").tags == ["COMMIT"]
    late = waiter.late()
    assert late is not None
    assert late.tags == ["UPDATE 1"]
    assert balances(world) == [20, 200, 300]


def test_several_waiters_are_served_in_the_order_in_which_they_were_parked(world: PostgresWorld) -> None:
    holder = world.link("holder")
    waiters = [world.link(f"waiter-{n}") for n in range(4)]
    holder.ask("begin; select * from accounts where id = 1 for update")
    for n, waiter in enumerate(waiters):
        assert waiter.send(f"update accounts set balance = balance * 10 + {n} where id = 1") is None
    holder.ask("commit")
    assert balances(world)[0] == 1_000_123


def test_waiters_that_one_commit_frees_never_run_side_by_side(world: PostgresWorld) -> None:
    """Both would go for row 3 next; the first parked gets it, however fast its process is."""
    holder, first, second = world.link("holder"), world.link("first"), world.link("second")
    holder.ask("begin; update accounts set balance = 0 where id in (1, 2)")
    order = "(values ({0}), (3)) as wanted (id) where accounts.id = wanted.id"
    assert first.send("update accounts set balance = balance * 10 + 1 from " + order.format(1)) is None
    assert second.send("update accounts set balance = balance * 10 + 2 from " + order.format(2)) is None
    holder.ask("commit")
    assert balances(world) == [1, 2, 30_012]


def test_a_freed_query_that_waits_again_keeps_its_place(world: PostgresWorld) -> None:
    one, two, waiter = world.link("one"), world.link("two"), world.link("waiter")
    one.ask("begin; update accounts set balance = 1 where id = 1")
    two.ask("begin; update accounts set balance = 2 where id = 2")
    assert waiter.send("select * from accounts where id in (1, 2) order by id for update") is None
    one.ask("commit")
    assert waiter.late() is None
    two.ask("commit")
    late = waiter.late()
    assert late is not None
    assert late.rows == [("1", "1"), ("2", "2")]


def test_skip_locked_and_nowait_do_not_wait(world: PostgresWorld) -> None:
    holder, other = world.link("api"), world.link("worker")
    holder.ask("begin; select * from accounts where id = 1 for update")
    assert other.ask("select id from accounts order by id for update skip locked").rows == [("2",), ("3",)]
    assert other.ask("select id from accounts where id = 1 for update nowait").error["C"] == "55P03"


def test_advisory_locks_block_and_are_freed_by_commit(world: PostgresWorld) -> None:
    holder, waiter = world.link("api"), world.link("worker")
    holder.ask("begin; select pg_advisory_xact_lock(42)")
    assert waiter.send("select pg_advisory_lock(42)") is None
    assert waiter.late() is None
    holder.ask("commit")
    late = waiter.late()
    assert late is not None
    assert late.tags == ["SELECT 1"]
    assert holder.ask("select pg_try_advisory_lock(42)").value == "f"


def test_a_serialisation_failure_is_postgresqls_own(world: PostgresWorld) -> None:
    one, two = world.link("one"), world.link("two")
    for link in (one, two):
        link.ask("begin isolation level serializable")
        assert link.ask("select sum(balance) from accounts").value == "600"
    one.ask("insert into accounts values (4, 1)")
    two.ask("insert into accounts values (5, 1)")
    assert one.ask("commit").tags == ["COMMIT"]
    assert two.ask("commit").error["C"] == "40001"


# --- deadlocks


def deadlocked(world: PostgresWorld) -> tuple[Link, Link]:
    one, two = world.link("api"), world.link("worker")
    one.ask("begin; update accounts set balance = 11 where id = 1")
    two.ask("begin; update accounts set balance = 22 where id = 2")
    assert one.send("update accounts set balance = 12 where id = 2") is None
    world.host.advance(300_000)
    assert two.send("update accounts set balance = 21 where id = 1") is None
    return one, two


def test_a_deadlock_is_found_one_virtual_second_after_the_first_wait(world: PostgresWorld) -> None:
    """`deadlock_timeout` is a second: the query whose second is over first looks, finds the cycle and gives up."""
    one, two = deadlocked(world)
    world.host.advance(699_999)
    assert one.late() is None
    world.host.advance(1)
    victim, survivor = one.late(), two.late()
    assert victim is not None
    assert survivor is not None
    assert survivor.tags == ["UPDATE 1"]
    assert victim.error == {
        "S": "ERROR",
        "V": "ERROR",
        "C": "40P01",
        "M": "deadlock detected",
        "D": "Process 1001 waits for ShareLock on transaction 4; blocked by process 1002.\n"
        "Process 1002 waits for ShareLock on transaction 3; blocked by process 1001.",
        "H": "See server log for query details.",
        "W": 'while updating tuple (0,2) in relation "accounts"',
        "F": "deadlock.c",
        "L": "1133",
        "R": "DeadLockReport",
    }
    assert victim.status == "E"


def test_a_wait_that_is_no_cycle_when_its_second_is_over_leaves_the_deadlock_to_the_later_one(
    world: PostgresWorld,
) -> None:
    one, two = world.link("api"), world.link("worker")
    one.ask("begin; update accounts set balance = 11 where id = 1")
    two.ask("begin; update accounts set balance = 22 where id = 2")
    assert one.send("update accounts set balance = 12 where id = 2") is None
    world.host.advance(2 * SECOND_US)
    assert two.send("update accounts set balance = 21 where id = 1") is None
    world.host.advance(SECOND_US)
    late = two.late()
    assert late is not None
    assert late.error["C"] == "40P01"


def test_three_sessions_in_a_circle_lose_exactly_one(world: PostgresWorld) -> None:
    links = [world.link(f"node-{n}") for n in range(3)]
    for n, link in enumerate(links):
        link.ask(f"begin; update accounts set balance = {n} where id = {n + 1}")
    for n, link in enumerate(links):
        assert link.send(f"update accounts set balance = {n} where id = {(n + 1) % 3 + 1}") is None
    world.host.advance(SECOND_US)
    first = links[0].late()
    assert first is not None
    assert first.error["C"] == "40P01"
    links[0].ask("rollback")
    assert links[2].late() is not None
    links[2].ask("commit")
    assert links[1].late() is not None


# --- time-outs


def test_lock_timeout_passes_in_virtual_time(world: PostgresWorld) -> None:
    holder, waiter = world.link("api"), world.link("worker")
    holder.ask("begin; update accounts set balance = 1 where id = 1")
    waiter.ask("set lock_timeout = '250ms'")
    assert waiter.send("update accounts set balance = 2 where id = 1") is None
    world.host.advance(249_999)
    assert waiter.late() is None
    world.host.advance(1)
    late = waiter.late()
    assert late is not None
    assert (late.error["C"], late.error["M"]) == ("55P03", "canceling statement due to lock timeout")
    assert holder.ask("commit").tags == ["COMMIT"]


def test_set_local_lock_timeout_ends_with_its_transaction(world: PostgresWorld) -> None:
    holder, waiter = world.link("api"), world.link("worker")
    waiter.ask("begin; set local lock_timeout = 100")
    assert waiter.ask("show lock_timeout").value == "100ms"
    waiter.ask("rollback")
    assert waiter.ask("show lock_timeout").value == "0"
    holder.ask("begin; update accounts set balance = 1 where id = 1")
    assert waiter.send("update accounts set balance = 2 where id = 1") is None
    world.host.advance(500_000)
    assert waiter.late() is None


def test_statement_timeout_ends_a_sleep(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("set statement_timeout to '2s'")
    assert link.send("select pg_sleep(10)") is None
    world.host.advance(2 * SECOND_US)
    late = link.late()
    assert late is not None
    assert (late.error["C"], late.error["M"]) == ("57014", "canceling statement due to statement timeout")
    assert "W" not in late.error


def test_a_time_out_of_the_start_up_packet_holds(world: PostgresWorld) -> None:
    link = world.link("api", statement_timeout="1500", options="-c lock_timeout=3s")
    assert link.ask("show statement_timeout").value == "1500ms"
    assert link.ask("show lock_timeout").value == "3s"
    assert link.send("select pg_sleep(10)") is None
    world.host.advance(1_500_000)
    assert link.late() is not None


def test_idle_in_transaction_session_timeout_ends_the_connection(world: PostgresWorld) -> None:
    idler, waiter = world.link("api"), world.link("worker")
    idler.ask("set idle_in_transaction_session_timeout = '5s'")
    idler.ask("begin; update accounts set balance = 1 where id = 1")
    assert waiter.send("update accounts set balance = balance + 1 where id = 1") is None
    world.host.advance(5 * SECOND_US)
    assert Reply(idler.wire.pushed[0]).error["C"] == "25P03"
    assert idler.wire.closed
    assert waiter.late() is not None
    assert balances(world)[0] == 101


def test_a_value_that_postgresql_refuses_is_refused_by_it(world: PostgresWorld) -> None:
    error = world.link("api").ask("set lock_timeout = 'soon'").error
    assert error["M"] == 'invalid value for parameter "lock_timeout": "soon"'


def test_pg_sleep_takes_virtual_time_and_clock_timestamp_shows_it(world: PostgresWorld) -> None:
    link, other = world.link("api"), world.link("worker")
    assert link.send("select clock_timestamp() - now(), pg_sleep(2.5), clock_timestamp() - now()") is None
    assert other.ask("select 1").value == "1"
    world.host.advance(2_500_000)
    late = link.late()
    assert late is not None
    assert late.rows == [("00:00:00", "", "00:00:02.5")]
    assert link.send("select pg_sleep(1)") is None  # and it sleeps again


def test_a_drivers_cancel_request_reaches_its_query(world: PostgresWorld) -> None:
    holder, waiter = world.link("api"), world.link("worker")
    holder.ask("begin; update accounts set balance = 1 where id = 1")
    assert waiter.send("update accounts set balance = 2 where id = 1") is None
    key = (waiter.startup or b"").partition(b"K\0\0\0\x0c")[2][:8]
    wire = FakeWire("worker")
    world.node.opened(wire)
    for frame in world.node.conversation().from_client(struct.pack("!ii", 16, 80877102) + key):
        world.node.received(wire, frame)
    late = waiter.late()
    assert late is not None
    assert (late.error["C"], late.error["M"]) == ("57014", "canceling statement due to user request")
    assert wire.closed
    assert wire.replies == []
