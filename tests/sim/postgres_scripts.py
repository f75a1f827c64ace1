"""SQL scripts of contending sessions: the same steps are given to the simulated link and to PostgreSQL itself."""

SCHEMA = """
create table accounts (id int primary key, owner text unique, balance int not null check (balance >= 0));
insert into accounts values (1, 'ana', 100), (2, 'ben', 200), (3, 'cem', 300);
create table entries (
  id serial primary key, account_id int not null references accounts on delete restrict, amount int not null,
  twin int unique deferrable initially deferred
);
create index on entries (account_id);
create function booked() returns trigger language plpgsql as $$
begin update accounts set balance = balance + new.amount where id = new.account_id; return new; end $$;
create trigger booked after insert on entries for each row execute function booked();
"""

PAUSE = "--"
"""Not a session: virtual time passes, real time passes, until nothing more happens by itself."""

SCRIPTS: dict[str, list[tuple[str, str]]] = {
    "a row is waited for": [
        ("a", "begin"),
        ("a", "update accounts set balance = 1 where id = 1"),
        ("b", "update accounts set balance = balance + 5 where id = 1 returning balance"),
        ("a", "commit"),
        ("a", "select * from accounts"),
    ],
    "a rolled back row is waited for": [
        ("a", "begin; update accounts set balance = 1 where id = 1"),
        ("b", "update accounts set balance = balance + 5 where id = 1 returning balance"),
        ("c", "select balance from accounts where id = 1 for update"),
        ("a", "rollback"),
    ],
    "a queue of waiters": [
        ("a", "begin; select * from accounts where id = 1 for update"),
        ("b", "update accounts set balance = balance * 2 where id = 1"),
        ("c", "update accounts set balance = balance + 1 where id = 1"),
        ("d", "update accounts set balance = balance * 3 where id = 1"),
        ("a", "commit"),
        ("a", "select * from accounts"),
    ],
    "a condition is checked again after the wait": [
        ("a", "begin; update accounts set balance = 0 where id = 1"),
        ("b", "update accounts set balance = balance - 50 where id = 1 and balance >= 50"),
        ("c", "delete from accounts where balance = 0"),
        ("a", "commit"),
        ("a", "select * from accounts order by id"),
    ],
    "unique keys are waited for": [
        ("a", "begin; insert into accounts values (4, 'dora', 1)"),
        ("b", "insert into accounts values (5, 'dora', 2)"),
        ("c", "insert into accounts values (6, 'dora', 3) on conflict (owner) do nothing returning id"),
        (
            "d",
            "insert into accounts values (7, 'dora', 4) on conflict (owner) do update set balance = 9 returning *",
        ),
        ("a", "commit"),
        ("a", "select * from accounts order by id"),
    ],
    "a unique key becomes free": [
        ("a", "begin; insert into accounts values (4, 'dora', 1)"),
        ("b", "insert into accounts values (5, 'dora', 2) on conflict do nothing returning id"),
        ("a", "rollback"),
        ("b", "insert into accounts values (5, 'dora', 2)"),
    ],
    "foreign keys lock their parents": [
        ("a", "begin; insert into entries (account_id, amount) values (2, 7)"),
        ("b", "delete from accounts where id = 2"),
        ("a", "commit"),
        ("b", "insert into entries (account_id, amount) values (99, 1)"),
    ],
    "a parent that is being deleted": [
        ("a", "begin; delete from accounts where id = 3"),
        ("b", "insert into entries (account_id, amount) values (3, 1)"),
        ("a", "commit"),
    ],
    "a deferred constraint fails at commit": [
        ("a", "begin"),
        ("a", "insert into entries (account_id, amount, twin) values (1, 1, 5), (1, 1, 5)"),
        ("a", "commit"),
        ("a", "select count(*) from entries"),
    ],
    "skip locked and nowait": [
        ("a", "begin; select id from accounts order by id limit 1 for update skip locked"),
        ("b", "begin; select id from accounts order by id limit 1 for update skip locked"),
        ("c", "select id from accounts where id = 1 for update nowait"),
        ("c", "select id from accounts where id = 1 for share skip locked"),
        ("a", "commit"),
        ("b", "commit"),
    ],
    "shared locks": [
        ("a", "begin; select 1 from accounts where id = 1 for share"),
        ("b", "begin; select 1 from accounts where id = 1 for share"),
        ("c", "update accounts set balance = 5 where id = 1"),
        ("a", "commit"),
        ("b", "commit"),
    ],
    "a savepoint gives its locks back": [
        ("a", "begin; savepoint s; update accounts set balance = 1 where id = 1"),
        ("b", "update accounts set balance = balance + 1 where id = 1 returning balance"),
        ("a", "rollback to s"),
        ("a", "select balance from accounts where id = 1"),
        ("a", "commit"),
    ],
    "repeatable read refuses a lost update": [
        ("a", "begin isolation level repeatable read; select * from accounts order by id"),
        ("b", "update accounts set balance = 5 where id = 1"),
        ("a", "select balance from accounts where id = 1"),
        ("a", "update accounts set balance = balance + 1 where id = 1"),
        ("a", "select 1"),
        ("a", "rollback"),
    ],
    "repeatable read waits and then fails": [
        ("a", "begin; update accounts set balance = 5 where id = 1"),
        ("b", "begin isolation level repeatable read; update accounts set balance = 6 where id = 1"),
        ("a", "commit"),
        ("b", "commit"),
    ],
    "serialisable refuses write skew": [
        ("a", "begin isolation level serializable; select sum(balance) from accounts"),
        ("b", "begin isolation level serializable; select sum(balance) from accounts"),
        ("a", "update accounts set balance = balance - 100 where id = 1"),
        ("b", "update accounts set balance = balance - 100 where id = 2"),
        ("a", "commit"),
        ("b", "commit"),
    ],
    "a deadlock of two": [
        ("a", "set deadlock_timeout = '200ms'"),
        ("a", "begin; update accounts set balance = 1 where id = 1"),
        ("b", "begin; update accounts set balance = 2 where id = 2"),
        ("a", "update accounts set balance = 1 where id = 2"),
        ("b", "update accounts set balance = 2 where id = 1"),
        (PAUSE, ""),
        ("b", "commit"),
        ("a", "commit"),
        ("a", "select * from accounts order by id"),
    ],
    "a deadlock of advisory locks": [
        ("a", "set deadlock_timeout = '200ms'"),
        ("a", "begin; select pg_advisory_xact_lock(1)"),
        ("b", "begin; select pg_advisory_xact_lock(2, 3)"),
        ("a", "select pg_advisory_xact_lock(2, 3)"),
        ("b", "select pg_advisory_xact_lock(1)"),
        (PAUSE, ""),
        ("a", "rollback"),
        ("b", "rollback"),
    ],
    "advisory locks": [
        ("a", "select pg_advisory_lock(7)"),
        ("b", "select pg_try_advisory_lock(7), pg_try_advisory_lock_shared(8)"),
        ("b", "select pg_advisory_lock(7)"),
        ("a", "select pg_advisory_unlock(7), pg_advisory_unlock(9)"),
        ("b", "select pg_advisory_unlock_all()"),
    ],
    "a whole table is locked": [
        ("a", "begin; lock table accounts in share row exclusive mode"),
        ("b", "select count(*) from accounts"),
        ("b", "update accounts set balance = 0 where id = 1"),
        ("c", "truncate entries"),
        ("a", "commit"),
    ],
    "lock_timeout": [
        ("a", "begin; update accounts set balance = 1 where id = 1"),
        ("b", "set lock_timeout = '200ms'"),
        ("b", "show lock_timeout"),
        ("b", "begin; update accounts set balance = 2 where id = 1"),
        (PAUSE, ""),
        ("b", "select 1"),
        ("b", "rollback"),
        ("a", "commit"),
    ],
    "statement_timeout": [
        ("a", "set statement_timeout = 200"),
        ("a", "select pg_sleep(60)"),
        (PAUSE, ""),
        ("a", "select current_setting('statement_timeout')"),
        ("a", "reset statement_timeout"),
        ("a", "show statement_timeout"),
    ],
    "idle_in_transaction_session_timeout": [
        ("a", "set idle_in_transaction_session_timeout = '200ms'"),
        ("a", "begin; update accounts set balance = 1 where id = 1"),
        ("b", "update accounts set balance = balance + 1 where id = 1 returning balance"),
        (PAUSE, ""),
    ],
    "transaction_timeout": [
        ("a", "set transaction_timeout = '200ms'"),
        ("a", "begin; select pg_sleep(60)"),
        (PAUSE, ""),
        ("b", "set transaction_timeout = 200; begin"),
        (PAUSE, ""),
    ],
    "idle_session_timeout": [
        ("a", "set idle_session_timeout = 200"),
        ("b", "select 1"),
        (PAUSE, ""),
    ],
    "errors keep their words and places": [
        ("a", "select CURRENT_TIMESTAMP, nothing from accounts"),
        ("a", "select now() + 'x'::interval"),
        ("a", "selekt 1"),
        ("a", "select 1/0"),
        ("a", "insert into accounts values (1, 'twice', 0)"),
        ("a", "insert into accounts values (9, 'poor', -1)"),
        ("a", "insert into accounts (id) values (9)"),
        ("a", "insert into entries (account_id, amount) values (1, -500)"),
        ("a", "select * from nowhere"),
        ("a", "begin; select 1/0; select 2"),
        ("a", "select 3"),
        ("a", "commit"),
        ("a", "commit"),
        ("a", "rollback to s"),
        ("a", "set lock_timeout = 'soon'"),
    ],
    "cursors, prepared statements and several at once": [
        ("a", "begin; declare c cursor for select id from accounts order by id"),
        ("a", "fetch 2 from c"),
        ("a", "move 1 from c; fetch all from c; close c; commit"),
        ("a", "prepare p (int) as select owner from accounts where id = $1"),
        ("a", "execute p(2); execute p(3)"),
        ("a", "deallocate p"),
        ("a", "execute p(1)"),
        ("a", ""),
        ("a", "select 1; select 2; select 3"),
    ],
    "notices": [
        ("a", "do $$ begin raise notice 'hello %', 1; end $$"),
        ("a", "create temp table if not exists t (id int); create temp table if not exists t (id int)"),
        ("a", "set client_min_messages = error; do $$ begin raise notice 'not seen'; end $$"),
        ("a", "commit"),
    ],
}
