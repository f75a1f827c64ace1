"""Brings a database back to the state just after its schema was run, as cheaply as can be done exactly.

A table of at most one page is emptied by DELETE and VACUUM (a seventh of a millisecond), which leaves the page as
new; a bigger one is truncated. Rows that the schema inserted are put back from a copy in their old order. Sequences
are set back. When a run changed the catalogue the database is made again from a copy.
"""

from dataclasses import dataclass
from typing import Any

from harness.sim.postgres.cluster import PostgresCluster
from harness.sim.postgres.control import DEFINITIONS, HISTORY, Control, values_of
from harness.sim.postgres.rewrite import DEFINING, rewrite
from harness.sim.postgres.virtual import SCHEMA

_PAGE = 8192
_MOST_TOAST = 16 * _PAGE
_MOST_HISTORY = 128 * _PAGE
_OURS = f"nspname in ('pg_catalog', 'information_schema', '{SCHEMA}') or nspname ~ '^pg_t'"

_TABLES = f"""
select c.oid::int8 as oid, format('%I.%I', nspname, relname) as name,
       paychaos_real_pg_indexes_size(c.oid) as index_bytes,
       (select count(*) from pg_index where indrelid = c.oid) as indexes,
       coalesce((select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
                 where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = ''), '') as columns,
       coalesce((select array_agg(distinct f.conrelid::int8) from pg_constraint f
                 where f.contype = 'f' and f.confrelid = c.oid), '{{}}') as referenced_by
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and not ({_OURS})
order by c.oid
"""

_KEEP = f"""
insert into {SCHEMA}.statistics
select c.oid, relpages, reltuples, relallvisible, relallfrozen
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'i') and not ({_OURS});
insert into {SCHEMA}.tables
select c.oid, reltoastrelid from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and not ({_OURS}) order by c.oid;
insert into {SCHEMA}.sequences
select c.oid, last_value, is_called
from pg_class c join pg_namespace n on n.oid = c.relnamespace, pg_get_sequence_data(c.oid)
where c.relkind = 'S' and c.relpersistence <> 't' and not ({_OURS}) order by c.oid;
"""

_DEFINING = DEFINING.replace(r"\b", r"\y")  # a word's edge, as PostgreSQL writes it

_FACTS = f"""
select (select max(oid)::int8 from pg_type) as newest_type,
       exists (select 1 from pg_proc p join pg_namespace n on n.oid = p.pronamespace
               where prosrc ~* 'notify' and not ({_OURS})) as notifies,
       exists (select 1 from pg_proc p join pg_namespace n on n.oid = p.pronamespace
               where prosrc ~* '{_DEFINING}' and not ({_OURS})) as defines,
       exists (select 1 from pg_db_role_setting) as configures
"""


@dataclass(frozen=True, slots=True)
class _Table:
    """index_bytes: when new. referenced_by: oids of the tables whose foreign keys point here."""

    oid: int
    name: str
    index_bytes: int
    indexes: int
    columns: str
    referenced_by: list[int]
    seeded: bool

    def is_small(self, look: dict[str, int]) -> bool:
        """Whether DELETE and VACUUM leave it as new: one page, and no index that ever had to split its root."""
        most = self.index_bytes + self.indexes * _PAGE
        return look["size"] <= _PAGE and look["index_size"] <= most and look["toast_size"] <= _MOST_TOAST


class Pristine:
    """Knows what the database looked like when it was new."""

    def __init__(self, cluster: PostgresCluster, name: str, user: str) -> None:
        self._cluster = cluster
        self._name = name
        self._user = user
        self._tables: list[_Table] = []
        self.newest_type = 0
        self.notifies = False
        self.remembers = False

    def create(self, schema_sql: str, now_us: int) -> None:
        """Makes the database, runs the schema at the time `now_us` and keeps a copy of the result."""
        server = self._cluster.connect("postgres")
        try:
            server.run(_role(self._user))
            server.run(f'create database "{self._name}" owner "{self._user}" template template1')
            self._fill(schema_sql, now_us)
            server.run(f'create database "{self._copy}" template "{self._name}"')
        finally:
            server.close()

    def create_again(self) -> None:
        """Replaces the database by the copy. Every session of it must be gone."""
        server = self._cluster.connect("postgres")
        try:
            server.run(f'drop database "{self._name}"')
            server.run(f'create database "{self._name}" owner "{self._user}" template "{self._copy}"')
        finally:
            server.close()

    @property
    def _copy(self) -> str:
        return f"{self._name}_as_new"

    def _fill(self, schema_sql: str, now_us: int) -> None:
        owner = self._cluster.connect(self._name, self._user)
        try:
            owner.tell_time(now_us)
            owner.run("select setseed(0)")
            owner.run(rewrite(schema_sql).sql)
        finally:
            owner.close()
        session = self._cluster.connect(self._name)
        try:
            self._learn(Control(session))
        finally:
            session.close()

    def _learn(self, control: Control) -> None:
        self._tables = [_table(control, row) for row in control.rows(_TABLES)]
        (facts,) = control.rows(_FACTS)
        self.newest_type, self.notifies = facts["newest_type"], facts["notifies"]
        self.remembers = not (facts["defines"] or facts["configures"])
        control.session.run(_KEEP)
        seeded = [table for table in self._tables if table.seeded]
        for table in seeded:
            control.session.run(
                f"create table {SCHEMA}.seed_{table.oid} as select {table.columns} from {table.name} order by ctid;"
                f"insert into {SCHEMA}.seeded values ({table.oid})"
            )
        self._clean(control, [], self._with_referencing(seeded), [])
        control.session.run(f"select setval('{SCHEMA}.definitions', 1, false)")

    def reset(self, control: Control) -> bool:
        """Restores rows and sequences. False when the catalogue was changed and `create_again` is called for."""
        seeded = [table for table in self._tables if table.seeded]
        looks, answers = control.look(*(_untouched(table) for table in seeded))
        if DEFINITIONS in looks:
            return False
        untouched = {
            table.oid for table, answer in zip(seeded, answers, strict=True) if values_of(answer) == ["t"]
        }
        touched = [table for table in self._tables if table.oid in looks and table.oid not in untouched]
        touched += [table for table in seeded if table.oid not in looks]
        small = [table for table in touched if table.oid in looks and table.is_small(looks[table.oid])]
        big = self._with_referencing([table for table in touched if table not in small])
        small = [table for table in small if table not in big]
        full = looks[HISTORY]["size"] > _MOST_HISTORY
        self._clean(control, small, big, [f"{SCHEMA}.history"] if full else [])
        return True

    def _with_referencing(self, tables: list[_Table]) -> list[_Table]:
        """The tables and all that point to them: TRUNCATE takes them together only."""
        wanted = {table.oid for table in tables}
        while True:
            more = {oid for t in self._tables if t.oid in wanted for oid in t.referenced_by} - wanted
            if not more:
                return [table for table in self._tables if table.oid in wanted]
            wanted |= more

    def _clean(self, control: Control, small: list[_Table], big: list[_Table], ours: list[str]) -> None:
        """Empties tables, puts the schema's rows back into them and sets all sequences back, in one go."""
        emptied = [f"{SCHEMA}.history", *(table.name for table in small)]
        truncated = [table.name for table in big] + ours
        statements = [f"delete from only {name}" for name in emptied]
        if truncated:
            statements.append("truncate only " + ", ".join(truncated))
        restored = []
        for table in (*small, *big):
            if table.seeded:
                rows = f"select {table.columns} from {SCHEMA}.seed_{table.oid}"
                restored.append(f"insert into {table.name} ({table.columns}) overriding system value {rows}")
                restored.append(f"update {SCHEMA}.seeded set oid = oid where oid = {table.oid}")
        restored += ["execute restart", "execute restore_statistics"]
        options = "truncate false, index_cleanup on, process_toast false, skip_database_stats"
        vacuum = f"vacuum ({options}) {', '.join(emptied)}"
        control.pipeline([";".join(statements), vacuum, ";".join(restored)])


def _role(user: str) -> str:
    return f"""do $$ begin
      if not exists (select 1 from pg_roles where rolname = '{user}') then create role "{user}" superuser login; end if;
    end $$"""


def _untouched(table: _Table) -> str:
    """Asks whether all rows of a table are those that the harness put back last, unlocked and unchanged."""
    restored = f"(select xmin from {SCHEMA}.seeded where oid = {table.oid})"
    seeds = f"(select count(*) from {SCHEMA}.seed_{table.oid})"
    ours = f"count(*) filter (where xmax = 0 and xmin = {restored})"
    return f"select {ours} = {seeds} and count(*) = {seeds} from {table.name}"


def _table(control: Control, row: dict[str, Any]) -> _Table:
    seeded = control.rows(f"select exists(select 1 from only {row['name']}) as seeded")[0]["seeded"]
    return _Table(**row, seeded=seeded)
