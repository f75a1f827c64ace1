"""What a statement is called: verb and main table, free of ids."""

import pytest

from harness.wire.postgres_sql import statement_kind, tokens


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select * from orders where id = $1", "SELECT orders"),
        ("SELECT o.* FROM public.orders AS o JOIN items i ON true", "SELECT orders"),
        ("select * from billing.orders", "SELECT billing.orders"),
        ('select * from "Order Lines" limit 1', "SELECT Order Lines"),
        ("select id from orders where id = 7 for update", "SELECT orders FOR UPDATE"),
        (
            "select id from jobs for no key update of jobs skip locked",
            "SELECT jobs FOR NO KEY UPDATE SKIP LOCKED",
        ),
        ("select count(*) from (select * from orders where x = 1) as q", "SELECT orders"),
        ("select exists(select 1 from orders where id = $1)", "SELECT orders"),
        ("select pg_advisory_xact_lock(42)", "SELECT pg_advisory_xact_lock"),
        ("select 1", "SELECT"),
        ("select extract(day from at) from orders", "SELECT orders"),
        ("select $a$ from nowhere $a$, 'from x' from orders", "SELECT orders"),
        ("table orders", "SELECT orders"),
        ("insert into orders (id) values (1) on conflict do nothing", "INSERT orders"),
        ("update only orders set a = 1", "UPDATE orders"),
        ("delete from orders using items", "DELETE orders"),
        ("merge into orders using items on true when matched then delete", "MERGE orders"),
        ("truncate table orders, items", "TRUNCATE orders"),
        ("lock table orders in exclusive mode", "LOCK orders"),
        ("copy orders from stdin", "COPY orders"),
        ("call settle(1)", "CALL settle"),
        ("with o as (select 1 from items) insert into orders select * from o", "INSERT orders"),
        ("with picked as (update jobs set state = 'x' returning *) select * from picked", "UPDATE jobs"),
        ("with recent (id) as (select id from orders) select * from recent", "SELECT orders"),
        ("with a as materialized (select 1 from x), b as (select 2 from y) select * from b", "SELECT y"),
        ("BEGIN", "BEGIN"),
        ("begin isolation level serializable;", "BEGIN"),
        ("start transaction", "BEGIN"),
        ("COMMIT;", "COMMIT"),
        ("end", "COMMIT"),
        ("rollback", "ROLLBACK"),
        ("abort", "ROLLBACK"),
        ("rollback to savepoint s1", "ROLLBACK TO SAVEPOINT"),
        ("savepoint s1", "SAVEPOINT"),
        ("release s1", "RELEASE SAVEPOINT"),
        ("listen jobs", "LISTEN jobs"),
        ("notify \"Jobs\", 'payload'", "NOTIFY Jobs"),
        ("unlisten *", "UNLISTEN *"),
        ("set local lock_timeout = '2s'", "SET"),
        ("show server_version", "SHOW"),
        ("create table if not exists orders (id int)", "CREATE TABLE orders"),
        ("create unique index concurrently by_key on orders (k)", "CREATE INDEX by_key"),
        ("create or replace function f() returns int as $$ select 1 $$ language sql", "CREATE FUNCTION f"),
        ("drop table if exists orders", "DROP TABLE orders"),
        ("prepare transaction 'x'", "PREPARE TRANSACTION"),
        ("  -- a comment\n/* another /* nested */ one */ select 1 from orders", "SELECT orders"),
        ("(select 1 from orders) union (select 2 from items)", "SELECT orders"),
        ("", "EMPTY"),
        (";;", "EMPTY"),
        ("select 'unterminated", "SELECT"),
    ],
)
def test_a_statement_is_named_by_its_verb_and_main_table(sql: str, kind: str) -> None:
    assert statement_kind(sql) == kind


def test_tokens_are_those_of_postgresqls_scanner() -> None:
    sql = "select E'a\\'b', 'c''d', \"e\"\"f\", $x$ g $$ $x$, $1, 1.5e3 -- h\n/* i /* j */ */ from k_1"
    assert [(token.kind, token.text) for token in tokens(sql)] == [
        ("word", "select"),
        ("string", "E'a\\'b'"),
        ("other", ","),
        ("string", "'c''d'"),
        ("other", ","),
        ("quoted", '"e""f"'),
        ("other", ","),
        ("dollar", "$x$ g $$ $x$"),
        ("other", ","),
        ("param", "$1"),
        ("other", ","),
        ("number", "1.5e3"),
        ("word", "from"),
        ("word", "k_1"),
    ]
    assert all(sql[token.at :].startswith(token.text) for token in tokens(sql))
