"""Time and chance inside PostgreSQL are the world's: no function, keyword or default tells anything else."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from harness.errors import NotSimulated
from tests.sim.postgres_world import SYNC, PostgresWorld, Reply, bind, database, execute, parse

SCHEMA = """
create table marks (
  id serial primary key,
  at timestamptz not null default now(),
  day date not null default current_date,
  precise timestamp(3) not null default localtimestamp,
  stamped timestamptz
);
create function stamp() returns trigger language plpgsql as $body$
begin new.stamped = CURRENT_TIMESTAMP; return new; end $body$;
create trigger stamp before insert on marks for each row execute function stamp();
create table born as select now() as at, random() as chance, gen_random_uuid() as id;
"""
BEGIN = "2026-09-21 14:13:20"  # postgres_world.START_US


@pytest.fixture
def world() -> Iterator[PostgresWorld]:
    with PostgresWorld(database(SCHEMA)) as world:
        world.host.advance(1_234_567)
        yield world


NOW = "2026-09-21 14:13:21.234567+00"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("now()", NOW),
        ("pg_catalog.now()", NOW),
        ("transaction_timestamp()", NOW),
        ("statement_timestamp()", NOW),
        ("clock_timestamp()", NOW),
        ("timeofday()", "Mon Sep 21 14:13:21.234567 2026 UTC"),
        ("CURRENT_TIMESTAMP", NOW),
        ("Current_Timestamp(2)", "2026-09-21 14:13:21.23+00"),
        ("current_date", "2026-09-21"),
        ("current_time", "14:13:21.234567+00"),
        ("current_time(0)", "14:13:21+00"),
        ("localtime", "14:13:21.234567"),
        ("localtime(1)", "14:13:21.2"),
        ("localtimestamp", "2026-09-21 14:13:21.234567"),
        ("localtimestamp(3)", "2026-09-21 14:13:21.235"),
        ("'now'::timestamptz", NOW),
        ("timestamp 'now'", "2026-09-21 14:13:21.234567"),
        ("timestamp with time zone 'now'", NOW),
        ("cast('today' as date)", "2026-09-21"),
        ("'tomorrow'::date", "2026-09-22"),
        ("date 'yesterday'", "2026-09-20"),
        ("'now'::text", "now"),
        ("age(timestamp '2026-09-01')", "20 days"),
        ("extract(epoch from now())", "1790000001.234567"),
        ("to_char(now(), 'HH24:MI')", "14:13"),
        ("current_setting('TimeZone')", "UTC"),
    ],
)
def test_every_way_to_ask_for_the_time_gets_virtual_time(
    world: PostgresWorld, expression: str, value: str
) -> None:
    link = world.link("api")
    assert link.ask(f"select {expression}").value == value
    reply = link.raw(parse(f"select {expression}") + bind() + execute() + SYNC)
    assert Reply(reply or b"").value == value


def test_keywords_of_time_keep_their_column_names(world: PostgresWorld) -> None:
    reply = world.link("api").ask("select CURRENT_TIMESTAMP, current_date, localtime(0)")
    for name in (b"current_timestamp\0", b"current_date\0", b"localtime\0"):
        assert name in reply.data


def test_the_session_time_zone_applies(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("set time zone 'Europe/Berlin'")
    assert link.ask("select now()").value == "2026-09-21 16:13:21.234567+02"
    assert link.ask("select current_time(0)").value == "16:13:21+02"


def test_now_stays_at_the_begin_of_the_transaction(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("begin")
    world.host.advance(1_000_000)
    row = link.ask("select now(), statement_timestamp(), clock_timestamp(), current_timestamp").rows[0]
    later = "2026-09-21 14:13:22.234567+00"
    assert row == (NOW, later, later, NOW)
    link.ask("commit")
    assert link.ask("select now()").value == later


def test_a_transaction_that_a_flush_began_keeps_its_time(world: PostgresWorld) -> None:
    """asyncpg prepares with Flush and executes with Sync: both are one transaction, begun by the first."""
    link = world.link("api")
    flush = b"H\0\0\0\x04"
    link.raw(parse("select now(), statement_timestamp()", "s") + flush)
    world.host.advance(1_000_000)
    reply = Reply(link.raw(bind(name="s") + execute() + SYNC) or b"")
    assert reply.rows == [(NOW, "2026-09-21 14:13:22.234567+00")]


def test_after_waiting_for_a_lock_only_the_clock_has_moved(world: PostgresWorld) -> None:
    holder, waiter = world.link("api"), world.link("worker")
    holder.ask("insert into marks default values")
    holder.ask("begin; update marks set day = day")
    assert (
        waiter.send("update marks set at = clock_timestamp(), stamped = now() returning at, stamped") is None
    )
    world.host.advance(500_000)
    holder.ask("commit")
    late = waiter.late()
    assert late is not None
    assert late.rows == [("2026-09-21 14:13:21.734567+00", NOW)]


def test_defaults_and_triggers_of_the_schema_follow_virtual_time(world: PostgresWorld) -> None:
    row = (
        world.link("api").ask("insert into marks default values returning at, day, precise, stamped").rows[0]
    )
    assert row == (NOW, "2026-09-21", "2026-09-21 14:13:21.235", NOW)


def test_what_the_schema_inserted_is_from_its_own_fixed_moment(world: PostgresWorld) -> None:
    (row,) = world.database.query("select at, chance from born")
    assert row["at"] == "2026-01-01 00:00:00+00"
    assert 0 <= row["chance"] < 1


def test_a_default_that_postgresql_would_fix_for_ever_is_refused(world: PostgresWorld) -> None:
    with pytest.raises(
        NotSimulated, match=r"the literal 'now' as a timestamptz\. Write an expression with now\(\)"
    ):
        world.link("api").send("create table late (at timestamptz default 'now'::timestamptz)")


def chances(seed: int) -> list[tuple[str | None, ...]]:
    with PostgresWorld(database(SCHEMA), seed) as world:
        one, two = world.link("api"), world.link("worker")
        sql = "select random(), random(1, 1000000), random_normal(), gen_random_uuid(), uuidv4(), uuidv7()"
        return [link.ask(sql).rows[0] for link in (one, two, one)]


def test_chance_follows_the_seed() -> None:
    assert chances(1) == chances(1)
    assert chances(1) != chances(2)
    assert len(set(chances(1))) == 3


def test_uuids_have_their_version_and_variant(world: PostgresWorld) -> None:
    link = world.link("api")
    for function, version in (("gen_random_uuid()", 4), ("uuidv4()", 4), ("uuidv7()", 7)):
        made = UUID(link.ask(f"select {function}").value or "")
        assert made.version == version
        assert link.ask(f"select uuid_extract_version({function})").value == str(version)


def test_uuidv7_tells_virtual_time_and_grows_even_while_time_stands_still(world: PostgresWorld) -> None:
    link = world.link("api")
    assert link.ask("select uuid_extract_timestamp(uuidv7())").value == "2026-09-21 14:13:21.234+00"
    shifted = "select uuid_extract_timestamp(uuidv7(interval '-1 hour'))"
    assert link.ask(shifted).value == "2026-09-21 13:13:21.234+00"
    made = [row[0] for row in link.ask("select uuidv7() from generate_series(1, 50)").rows]
    assert made == sorted(made, key=str)
    assert len(set(made)) == 50


def test_set_seed_of_a_client_is_postgresqls_own(world: PostgresWorld) -> None:
    link = world.link("api")
    link.ask("select setseed(0.5)")
    assert link.ask("select random()").value == "0.9851677175347999"
