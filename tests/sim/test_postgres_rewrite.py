"""What is rewritten or refused by its text alone."""

import pytest

from harness.errors import NotSimulated
from harness.sim.postgres.rewrite import rewrite
from harness.sim.postgres.timeouts import milliseconds, words


@pytest.mark.parametrize(
    ("sql", "rewritten"),
    [
        ("select CURRENT_TIMESTAMP", 'select "current_timestamp"()'),
        ("select current_timestamp (3)", 'select "current_timestamp" (3)'),
        ("select localtime, LocalTimestamp", 'select "localtime"(), "localtimestamp"()'),
        ("select t.current_date, 1 as current_time from t", None),
        ("select 'current_timestamp', \"current_date\", $$current_time$$", None),
        ("select -- current_date\n 1 /* current_time */", None),
        ("select 'now'::timestamptz", "select (now()::timestamptz)::timestamptz"),
        ("select 'now '::date", "select (now()::date)::date"),
        ("select cast('today' as date)", 'select cast(("current_date"()::date) as date)'),
        ("select time with time zone 'now'", "select (now()::timetz)"),
        ("select 'now'::text, 'nowhere', 'today we rest'", None),
        (
            "create function f() returns trigger as $$ begin new.at = current_timestamp; end $$ language plpgsql",
            'create function f() returns trigger as $$ begin new.at = "current_timestamp"(); end $$ language plpgsql',
        ),
        ("do $x$ begin perform current_date; end $x$", 'do $x$ begin perform "current_date"(); end $x$'),
        ("set lock_timeout = '2000ms'", "set paychaos.lock_timeout = '2s'"),
        ("set session statement_timeout to 1500", "set session paychaos.statement_timeout = '1500ms'"),
        ("set local lock_timeout to default", "set local paychaos.lock_timeout to default"),
        ("reset lock_timeout; show lock_timeout", "reset paychaos.lock_timeout; show paychaos.lock_timeout"),
        (
            "select set_config('lock_timeout', '1s', true)",
            "select set_config('paychaos.lock_timeout', '1s', true)",
        ),
        ("select lock_timeout from settings", None),
        ("set lock_timeout = 'soon'", None),
        ("update orders set status = 'x' where id = 1", None),
    ],
)
def test_only_what_reads_real_time_is_rewritten(sql: str, rewritten: str | None) -> None:
    assert rewrite(sql).sql == (sql if rewritten is None else rewritten)


BODY = "Write now() in it, or put the function's body between $$ and $$."


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "select at > 'now' from t",
            "the literal 'now', which may be read as a time. Write now(), or 'now'::text if it is only a word.",
        ),
        (
            "select 'tomorrow 10:00'::timestamp",
            "the literal 'tomorrow 10:00' as a timestamp. Write an expression with (\"current_date\"() + 1).",
        ),
        (
            "create function f() returns timestamptz language sql as 'select current_timestamp'",
            "a keyword of time inside the quoted text 'select current_timestamp'. " + BODY,
        ),
        (
            "do $$ begin perform set_config('lock_timeout', '1s', true); end $$",
            "a time-out that is set inside a function. Set it from the client.",
        ),
    ],
)
def test_what_cannot_be_rewritten_is_refused(sql: str, message: str) -> None:
    with pytest.raises(NotSimulated) as caught:
        rewrite(sql)
    assert str(caught.value) == f"not simulated: {message}"


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("vacuum orders", "VACUUM during a run"),
        ("select 1; analyze", "ANALYZE during a run"),
        ("explain (analyze, costs off) select 1", "EXPLAIN ANALYZE during a run"),
        ("alter database app set x = 1", "ALTER DATABASE during a run"),
        ("create extension if not exists pgcrypto", "the extension 'pgcrypto'"),
        ("prepare transaction 'x'", "PREPARE TRANSACTION"),
        ("begin isolation level serializable read only deferrable", "a DEFERRABLE transaction"),
        ("select * from pg_stat_activity", "pg_stat_activity"),
        ("select pid from pg_locks", "pg_locks"),
        ("show data_directory", "the setting data_directory"),
        ("select * from orders tablesample system (10)", "TABLESAMPLE without a seed"),
        ("select xmax from orders", "the system column xmax"),
        ("load 'x'", "LOAD"),
    ],
)
def test_statements_whose_answer_would_differ_are_refused(sql: str, what: str) -> None:
    refusal = rewrite(sql).refusal
    assert refusal is not None
    assert refusal.what == what


@pytest.mark.parametrize(
    "sql",
    [
        "select user_id, role_name as role from members where \"group\" = 'x'",
        "select max(x) as xmax from points",
        "create table t (a int references b deferrable initially deferred)",
        "begin not deferrable",
        "explain select 1",
        "select analysis, load_factor from reports",
        "select * from orders tablesample system (10) repeatable (1)",
        "create extension vector",
        "insert into audit values ('vacuum', 'pg_locks')",
    ],
)
def test_statements_that_only_look_alike_are_not_refused(sql: str) -> None:
    assert rewrite(sql).refusal is None


def test_a_position_in_the_rewritten_text_is_found_in_the_original() -> None:
    sql = "select CURRENT_TIMESTAMP, current_date, nothing, localtime from t"
    statement = rewrite(sql)
    for word in ("select", "nothing", "from t"):
        assert statement.original_position(statement.sql.index(word) + 1) == sql.index(word) + 1


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("0", 0, "0"),
        ("250", 250, "250ms"),
        ("2s", 2_000, "2s"),
        ("1.5 min", 90_000, "90s"),
        ("60min", 3_600_000, "1h"),
        ("1d", 86_400_000, "1d"),
        ("500us", 0, "0"),
    ],
)
def test_time_outs_are_read_and_shown_as_postgresql_does(text: str, value: int, shown: str) -> None:
    assert milliseconds(text) == value
    assert words(value) == shown


@pytest.mark.parametrize("text", ["soon", "-1", "5 weeks", "3000000000", ""])
def test_what_postgresql_refuses_as_a_time_out_is_none(text: str) -> None:
    assert milliseconds(text) is None
