"""The target's database in a live world: made for the campaign, observed beside the gate, reset between runs.

A driver session of its own reads what invariants ask for; triggers write down each committed change of a row.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

import asyncpg

from harness.errors import InfrastructureError, UsageError
from harness.live.address import Address
from harness.run import RowChange

CALL_S = 40.0
LOCK_MS = 1_500
"""How long a reset waits for the target's open transactions before it ends the sessions that hold them."""

T = TypeVar("T")

_RECORDER = """
create schema paychaos;
create table paychaos.changes (
    number bigserial primary key, at timestamptz not null default clock_timestamp(),
    table_name text not null, op text not null, before jsonb, after jsonb, backend int not null
);
create function paychaos.record() returns trigger language plpgsql security definer as $$
begin
    insert into paychaos.changes (table_name, op, before, after, backend) values (
        tg_table_name, tg_op,
        case when tg_op <> 'INSERT' then to_jsonb(old) end,
        case when tg_op <> 'DELETE' then to_jsonb(new) end,
        pg_backend_pid()
    );
    return null;
end $$;
"""

_TABLES = """
select t.relname as name, coalesce((
    select array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum))
    from pg_index i join pg_attribute a on a.attrelid = t.oid and a.attnum = any(i.indkey)
    where i.indrelid = t.oid and i.indisprimary
), '{}') as key, (
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
    where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
) as columns
from pg_class t join pg_namespace n on n.oid = t.relnamespace
where n.nspname = 'public' and t.relkind = 'r' order by t.relname
"""

_END_HOLDERS = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in transaction%'
"""


_AS_TEXT = ("timestamptz", "timestamp", "date", "time", "timetz", "interval", "uuid", "inet", "bytea")


class LiveDatabase:
    """A fresh database on a server. Raises InfrastructureError when the server does not do its part."""

    def __init__(self, server: Address, name: str, schema: str) -> None:
        self.name = name
        self._server = server
        self._loop = _Loop()
        self._tables: dict[str, list[str]] = {}
        self._columns: dict[str, str] = {}
        try:
            self._administer(f'create database "{name}"')
            self._connection = self._loop.call(self._connect(name))
            self._loop.call(self._speak_plainly())
            self._set_up(schema)
        except BaseException:
            self._loop.close()
            raise

    def close(self) -> None:
        """Drops the database, whoever still uses it."""
        self._loop.call(self._connection.close(timeout=2))
        self._administer(f'drop database if exists "{self.name}" with (force)')
        self._loop.close()

    async def _speak_plainly(self) -> None:
        """Values as in the simulation: whole numbers are int, what has no plain Python type is PostgreSQL's text."""
        for kind in _AS_TEXT:
            await self._connection.set_type_codec(
                kind, schema="pg_catalog", encoder=str, decoder=str, format="text"
            )
        await self._connection.set_type_codec(
            "numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text"
        )
        for kind in ("json", "jsonb"):
            await self._connection.set_type_codec(
                kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads, format="text"
            )

    # Observing

    def query(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """All rows of a query. Raises UsageError when PostgreSQL refuses it."""
        try:
            return [dict(row) for row in self._loop.call(self._connection.fetch(query, *arguments))]
        except asyncpg.PostgresError as error:
            raise UsageError(
                f"state.sql({query!r}) is refused by PostgreSQL: {error}. Mend the query."
            ) from error

    def row_history(self, started_at_us: int, backends: Mapping[int, str]) -> list[RowChange]:
        """Committed changes, oldest first.

        started_at_us: when the run began, since the Unix epoch. backends: whose each server process is.
        """
        query = (
            "select table_name, op, before::text as before, after::text as after, backend,"
            " (extract(epoch from at) * 1000000)::bigint as at_us from paychaos.changes order by number"
        )
        return [self._change(row, started_at_us, backends) for row in self.query(query)]

    def _change(self, row: dict[str, Any], started_at_us: int, backends: Mapping[int, str]) -> RowChange:
        before, after = (row[side] and json.loads(row[side], parse_float=str) for side in ("before", "after"))
        some = after or before or {}
        key = ",".join(str(some.get(column)) for column in self._tables.get(row["table_name"], []))
        client = backends.get(row["backend"], "")
        return RowChange(
            row["at_us"] - started_at_us, row["table_name"], key, row["op"], before, after, client
        )

    # Resetting

    def reset(self) -> None:
        """As new, without a restart: tables hold what the schema put there, sequences begin again."""
        try:
            self._run("select paychaos.reset()")
        except asyncpg.LockNotAvailableError:
            self._run(_END_HOLDERS)
            self._run("select paychaos.reset()")
        left = self.query("select paychaos.leftovers() as left")[0]["left"]
        if left:
            raise InfrastructureError(
                f"the database was not clean after a reset: {left}; the target wrote to it meanwhile."
                " Does a process of it work on without being asked?"
            )

    def sessions(self) -> int:
        """How many sessions the target holds in a transaction now."""
        query = (
            "select count(*)::int as n from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and (state = 'active' or state like 'idle in transaction%')"
        )
        return int(self.query(query)[0]["n"])

    def _set_up(self, schema: str) -> None:
        try:
            self._run(schema)
        except asyncpg.PostgresError as error:
            raise UsageError(f"the target's schema is refused by PostgreSQL: {error}. Mend it.") from error
        self._run(_RECORDER)
        for row in self.query(_TABLES):
            name = row["name"]
            self._tables[name] = list(row["key"])
            self._columns[name] = row["columns"]
            self._run(
                f'create table paychaos."seed {name}" as table public."{name}";'
                f' create trigger paychaos after insert or update or delete on public."{name}"'
                " for each row execute function paychaos.record()"
            )
        self._run(self._reset_function())
        self._run(f"set lock_timeout = {LOCK_MS}; set statement_timeout = 10000")

    def _reset_function(self) -> str:
        """One function does it all, in one transaction and without triggers (which would write it down)."""
        names = list(self._tables)
        truncate = ", ".join([f'public."{name}"' for name in names] + ["paychaos.changes"])
        refill = "\n".join(
            f'insert into public."{name}" ({columns}) overriding system value'
            f' select {columns} from paychaos."seed {name}";'
            for name, columns in self._columns.items()
        )
        sequences = self.query(
            "select sequencename as name, coalesce(last_value, start_value) as value, last_value is not null as used"
            " from pg_sequences where schemaname = 'public'"
        )
        restart = "\n".join(
            f"perform setval('public.\"{row['name']}\"', {row['value']}, {str(row['used']).lower()});"
            for row in sequences
        )
        counts = " || ".join(
            [f"paychaos.differs('{name}', (select count(*) from public.\"{name}\"),"
             f" (select count(*) from paychaos.\"seed {name}\"))" for name in names] or ["''"]
        )  # fmt: skip
        return f"""
        create function paychaos.reset() returns void language plpgsql as $$
        begin
            set local session_replication_role = replica;
            truncate {truncate} restart identity;
            {refill}
            {restart}
        end $$;
        create function paychaos.differs(name text, has bigint, should bigint) returns text language sql as
        $$ select case when has = should then '' else format('%s has %s rows, not %s. ', name, has, should) end $$;
        create function paychaos.leftovers() returns text language sql as $$ select {counts} $$;
        """

    # The driver

    def _run(self, sql: str) -> None:
        self._loop.call(self._connection.execute(sql))

    def _administer(self, sql: str) -> None:
        async def run() -> None:
            connection = await self._connect(self._server.path or "postgres")
            try:
                await connection.execute(sql)
            finally:
                await connection.close(timeout=2)

        self._loop.call(run())

    async def _connect(self, database: str) -> Any:
        server = self._server
        try:
            return await asyncpg.connect(
                host=server.host,
                port=server.port,
                user=server.user or "postgres",
                password=server.password or None,
                database=database,
                timeout=CALL_S,
                server_settings={"application_name": "paychaos", "timezone": "UTC"},
            )
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise InfrastructureError(
                f"PostgreSQL at {server.host}:{server.port} lets nobody in ({type(error).__name__}: {error});"
                " check PAYCHAOS_POSTGRES_URL, or leave it out to use the embedded one."
            ) from error


def _number(text: str) -> int | str:
    """A whole numeric (a `sum` of bigints, say) is an int; one with a fraction stays exact, as text."""
    return int(text) if text.lstrip("-").isdigit() else text


class _Loop:
    """An asyncio loop on a thread of its own, for a driver that knows nothing else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="observer", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(CALL_S)
        except FutureTimeout:
            future.cancel()
            raise InfrastructureError(
                f"PostgreSQL did not answer within {CALL_S:.0f} s; is it paused, or out of disk?"
            ) from None

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
