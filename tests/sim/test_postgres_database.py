"""A database is as new before every run, whatever the run before did, and tells what was committed."""

import os
from collections.abc import Iterator

import pytest

from harness.errors import UsageError
from harness.sim.postgres import Database, messages
from tests.sim.postgres_world import PostgresWorld, cluster, database

SCHEMA = """
create type mood as enum ('calm', 'cross');
create table orders (
  id bigserial primary key, k text unique, amount bigint, payload text, mood mood default 'calm',
  doubled bigint generated always as (amount * 2) stored
);
create table items (id int generated always as identity primary key, order_id bigint references orders, sku text);
create table stock (sku text primary key, n int not null check (n >= 0));
insert into stock values ('b', 20), ('a', 10), ('c', 30);
update stock set n = 11 where sku = 'b';
create table big (id int primary key, filler text);
insert into big select n, repeat('x', 100) from generate_series(1, 500) n;
create unlogged table scratch (id int);
create sequence tickets start 100 increment 5;
select nextval('tickets');
create index on orders (amount);
"""

STATE = {
    "orders": "select ctid::text, * from orders",
    "items": "select ctid::text, * from items",
    "stock": "select ctid::text, * from stock",
    "big": "select count(*) as n, min(ctid)::text as first, max(ctid)::text as last, sum(id) as s from big",
    "scratch": "select * from scratch",
    "sequences": "select sequencename, last_value from pg_sequences where schemaname = 'public' order by 1",
    "statistics": "select relname, relpages, reltuples from pg_class where relname in "
    "('orders', 'orders_pkey', 'items', 'stock', 'big') order by 1",
    "relations": "select relname from pg_class c join pg_namespace n on n.oid = relnamespace "
    "where nspname = 'public' order by 1",
}


def state(made: Database) -> dict[str, object]:
    return {name: made.query(sql) for name, sql in STATE.items()}


@pytest.fixture
def made() -> Iterator[Database]:
    made = database(SCHEMA)
    made.reset()
    yield made
    made.reset()


def dirty(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("insert into orders (k, amount, payload) values ('k1', 5, 'p'), ('k2', 7, 'q')")
    link.ask("insert into items (order_id, sku) values (1, 'a')")
    link.ask("update stock set n = n - 1 where sku = 'a'")
    link.ask("select nextval('tickets')")
    link.ask("insert into scratch values (1)")
    assert link.ask("insert into orders (k) values ('k1')").error["C"] == "23505"


@pytest.mark.parametrize("times", [1, 3])
def test_after_a_reset_rows_order_sequences_and_statistics_are_as_new(made: Database, times: int) -> None:
    new = state(made)
    for _ in range(times):
        with PostgresWorld(made) as world:
            dirty(world)
            assert state(made) != new
        made.reset()
        assert state(made) == new


def test_rows_of_a_run_lie_where_they_lay_in_the_first_run(made: Database) -> None:
    seen = []
    for _ in range(3):
        with PostgresWorld(made) as world:
            dirty(world)
            seen.append(state(made))
    assert seen[0] == seen[1] == seen[2]
    assert made.query("select ctid::text from orders") == [{"ctid": "(0,1)"}, {"ctid": "(0,2)"}]


def test_a_run_that_fills_pages_and_changes_big_tables_is_cleaned_too(made: Database) -> None:
    new = state(made)
    with PostgresWorld(made) as world:
        link = world.link("api")
        link.ask(
            "insert into orders (k, amount, payload) select n, n, repeat('y', 3000) from generate_series(1, 300) n"
        )
        link.ask("update big set filler = 'z' where id = 250")
        link.ask("delete from stock")
    made.reset()
    assert state(made) == new


def test_a_row_lock_alone_leaves_no_trace(made: Database) -> None:
    new = state(made)
    with PostgresWorld(made) as world:
        link = world.link("api")
        link.ask("begin; select * from stock for update; insert into orders (k) values ('x'); rollback")
    made.reset()
    assert state(made) == new
    with PostgresWorld(made) as world:
        assert world.link("api").ask("insert into orders (k) values ('x') returning id, ctid").rows == [
            ("1", "(0,1)")
        ]


def test_what_a_run_created_is_gone_after_the_reset(made: Database) -> None:
    new = state(made)
    with PostgresWorld(made) as world:
        link = world.link("api")
        link.ask("create table extra (id int); insert into extra values (1)")
        link.ask("alter table orders add column note text; drop table scratch")
        assert state_of_run_history(made) == [("extra", "INSERT")]
    made.reset()
    assert state(made) == new
    with PostgresWorld(made) as world:
        assert world.link("api").ask("select * from extra").error["C"] == "42P01"


def state_of_run_history(made: Database) -> list[tuple[str, str]]:
    return [(change.table, change.op) for change in made.row_history()]


def test_temporary_tables_settings_and_advisory_locks_end_with_the_run(made: Database) -> None:
    for _ in range(2):
        with PostgresWorld(made) as world:
            link = world.link("api")
            assert link.ask("show work_mem").value == "4MB"
            link.ask("create temp table mine (id int); set work_mem = '1MB'; prepare p as select 1")
            link.ask("select pg_advisory_lock(1)")
            other = world.link("worker")
            assert other.ask("select pg_try_advisory_lock(1)").value == "f"


def test_a_killed_run_is_recovered_from(made: Database) -> None:
    new = state(made)
    world = PostgresWorld(made)
    holder, waiter = world.link("api"), world.link("worker")
    holder.ask("begin; update stock set n = 0 where sku = 'a'")
    assert waiter.send("update stock set n = 1 where sku = 'a'") is None
    made.recover()
    assert state(made) == new
    with PostgresWorld(made) as again:
        dirty(again)


def run_in_child(work: "object") -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()  # type: ignore[operator]
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def test_every_forked_child_runs_on_the_same_fresh_state(made: Database, tmp_path: object) -> None:
    """As the zygote does it: warm sessions are inherited, used by one child at a time, and reset by the next."""
    new = state(made)
    made.warm({messages.startup({"user": "app", "database": made.name}): 2})
    read_end, write_end = os.pipe()

    def child() -> None:
        with PostgresWorld(made) as world:
            links = [world.link(f"node-{n}") for n in range(3)]
            dirty(world)
            seen = [links[2].ask("select n from stock order by sku").rows, links[0].ask("select now()").value]
            os.write(write_end, repr((seen, world.node is not None, links[0].startup)).encode() + b"\n")

    for _ in range(3):
        run_in_child(child)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as lines:
        said = lines.read().splitlines()
    assert len(said) == 3
    assert len(set(said)) == 1
    made.reset()
    assert state(made) == new


def test_a_child_that_changed_the_catalogue_leaves_a_usable_database_to_the_next(made: Database) -> None:
    def child() -> None:
        with PostgresWorld(made) as world:
            assert world.link("api").ask("create table extra (id int)").tags == ["CREATE TABLE"]

    for _ in range(3):
        run_in_child(child)
    made.reset()
    with PostgresWorld(made) as world:
        dirty(world)


def test_demand_tells_what_warm_is_worth(made: Database) -> None:
    with PostgresWorld(made) as world:
        world.link("api")
        world.link("api")
        packet = messages.startup({"user": "app", "database": made.name})
        assert made.demand() == {packet: 2}


# --- observation


def test_queries_return_plain_values(made: Database) -> None:
    (row,) = made.query(
        "select 1 as i, 2.0::float8 as f, 3::numeric as whole, 1.50::numeric as part, true as b, null as n, "
        "'x' as t, '{\"a\": [1]}'::jsonb as j, array[1, null, 3] as a, array['a b', 'c\"d'] as w, "
        "timestamptz '2026-01-01 12:00+00' as at, '\\x01ff'::bytea as y"
    )
    assert row == {
        "i": 1, "f": 2.0, "whole": 3, "part": "1.50", "b": True, "n": None, "t": "x", "j": {"a": [1]},
        "a": [1, None, 3], "w": ["a b", 'c"d'], "at": "2026-01-01 12:00:00+00", "y": "\\x01ff",
    }  # fmt: skip


def test_parameters_of_a_query_are_bound(made: Database) -> None:
    sql = "select n from stock where sku = any($1) and n > $2 order by n"
    assert made.query(sql, ["a", "b"], 5) == [{"n": 10}, {"n": 11}]
    assert made.query("select $1::text as x, $2::bool as y", None, True) == [{"x": None, "y": True}]


def test_a_query_sees_the_virtual_time_of_the_run(made: Database) -> None:
    with PostgresWorld(made) as world:
        world.host.advance(1_500_000)
        (row,) = made.query("select now() as a, CURRENT_TIMESTAMP as b, clock_timestamp() as c")
        assert row == dict.fromkeys("abc", "2026-09-21 14:13:21.5+00")


def test_a_wrong_query_is_the_users_mistake(made: Database) -> None:
    with pytest.raises(UsageError) as caught:
        made.query("select * from ordres")
    assert str(caught.value) == (
        "the query 'select * from ordres' failed: relation \"ordres\" does not exist (SQLSTATE 42P01). "
        "Compare it with the target's schema."
    )


def test_the_row_history_holds_committed_changes_in_the_order_of_their_commits(made: Database) -> None:
    with PostgresWorld(made) as world:
        start_us = world.host.now_us
        api, worker = world.link("api"), world.link("worker")
        api.ask("begin")
        api.ask("insert into orders (k, amount) values ('k1', 5)")
        world.host.advance(10)
        worker.ask("update stock set n = n - 1 where sku = 'a'")
        worker.ask("begin; delete from stock where sku = 'c'; rollback")
        world.host.advance(10)
        api.ask("update orders set amount = 6 where k = 'k1'")
        api.ask("commit")
        history = made.row_history()
    assert [(c.client, c.table, c.key, c.op, c.at_us - start_us) for c in history] == [
        ("worker", "stock", "a", "UPDATE", 10),
        ("api", "orders", "1", "INSERT", 0),
        ("api", "orders", "1", "UPDATE", 20),
    ]
    assert history[0].before == {"sku": "a", "n": 10}
    assert history[0].after == {"sku": "a", "n": 9}
    assert history[1].before is None
    assert history[2].after == {
        "id": 1, "k": "k1", "amount": 6, "payload": None, "mood": "calm", "doubled": 12,
    }  # fmt: skip


def test_changes_made_after_a_wait_carry_the_time_at_which_they_were_made(made: Database) -> None:
    with PostgresWorld(made) as world:
        api, worker = world.link("api"), world.link("worker")
        api.ask("begin; update stock set n = 1 where sku = 'a'")
        assert worker.send("update stock set n = 2 where sku = 'a'") is None
        world.host.advance(700)
        api.ask("commit")
        history = made.row_history()
        assert [(c.client, c.at_us) for c in history] == [
            ("api", world.host.now_us - 700),
            ("worker", world.host.now_us),
        ]


def test_the_harness_is_not_seen_where_services_look(made: Database) -> None:
    with PostgresWorld(made) as world:
        link = world.link("api")
        assert link.ask("show search_path").value == '"$user", public'
        tables = link.ask(
            "select table_name from information_schema.tables where table_schema = 'public' order by 1"
        )
        assert [row[0] for row in tables.rows] == ["big", "items", "orders", "scratch", "stock"]
        schemas = link.ask("select nspname from pg_namespace where nspname not like 'pg\\_%' order by 1")
        assert [row[0] for row in schemas.rows] == ["information_schema", "public"]
        assert link.ask("select current_user, current_database()").rows == [("app", made.name)]


def test_the_cluster_listens_on_no_port() -> None:
    with PostgresWorld(database("")) as world:
        assert world.link("api").ask("show listen_addresses").value == ""
    assert cluster().running
