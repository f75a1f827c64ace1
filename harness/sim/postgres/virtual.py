"""The functions of PostgreSQL that tell time or chance, replaced in the template of every simulated database.

PostgreSQL's own `now` and its kin are renamed in the catalogue and SQL functions of the same name take their place
in `pg_catalog`, so neither the search path nor a qualified call tells the difference. They read what the node wrote
into a small file per session (`Clock`), which costs a statement nothing unless it asks. `random()` stays
PostgreSQL's own: the node seeds it with `setseed`. What would leak real ids, times or sizes raises.
"""

import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

NOT_SIMULATED = "PC001"
"""SQLSTATE with which the replaced functions say that they are not simulated (message: what; hint: the remedy)."""

SLEEPING = "PC002"
"""SQLSTATE of the INFO message with which a session says that it sleeps (message: seconds)."""

SLEEP_LOCK_CLASS = 0x70617963
"""First key of the advisory locks on which sleeping sessions wait; the second is the session's real pid."""

SCHEMA = "pg_paychaos"
"""The schema of the harness in every database; tools that list schemas leave out what begins with ``pg_``."""

# What a session's clock file holds, at fixed places.
_STAMP = 29  # 2026-11-21 00:00:00.000000+00
_PID_AT = 3 * _STAMP
_SERIAL_AT = _PID_AT + 10
_CLIENT_AT = _SERIAL_AT + 12
_CLIENT_BYTES = 63
_LINE = b"%s%s%s%010d%012d%-63s"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_REPLACED = (
    "now()",
    "transaction_timestamp()",
    "statement_timestamp()",
    "clock_timestamp()",
    "timeofday()",
    "age(timestamptz)",
    "age(timestamp)",
    "pg_sleep(float8)",
    "pg_sleep_for(interval)",
    "pg_sleep_until(timestamptz)",
    "gen_random_uuid()",
    "uuidv4()",
    "uuidv7()",
    "uuidv7(interval)",
    "pg_backend_pid()",
)

_IDS = "Transaction ids differ from run to run: use a sequence or a column of your own."
_MOMENTS = "It tells real time: use now()."
_OTHERS = (
    "Sessions of the simulation have ids of their own: end a query with a time-out or the driver's cancel."
)
_DISK = "It depends on what ran before: count rows instead."
_LARGE = "Large objects are not simulated: use a bytea column."
_FILES = "The simulated server has no files of its own."

_DENIED = {
    "txid_current": _IDS,
    "txid_current_if_assigned": _IDS,
    "txid_current_snapshot": _IDS,
    "pg_current_xact_id": _IDS,
    "pg_current_xact_id_if_assigned": _IDS,
    "pg_current_snapshot": _IDS,
    "pg_export_snapshot": _IDS,
    "pg_xact_commit_timestamp": _MOMENTS,
    "pg_postmaster_start_time": _MOMENTS,
    "pg_conf_load_time": _MOMENTS,
    "pg_terminate_backend": _OTHERS,
    "pg_cancel_backend": _OTHERS,
    "pg_blocking_pids": _OTHERS,
    "pg_current_wal_lsn": _DISK,
    "pg_current_wal_insert_lsn": _DISK,
    "pg_current_wal_flush_lsn": _DISK,
    "pg_relation_filenode": _DISK,
    "pg_relation_filepath": _DISK,
    "pg_relation_size": _DISK,
    "pg_table_size": _DISK,
    "pg_indexes_size": _DISK,
    "pg_total_relation_size": _DISK,
    "pg_database_size": _DISK,
    "lo_creat": _LARGE,
    "lo_create": _LARGE,
    "lo_from_bytea": _LARGE,
    "lo_open": _LARGE,
    "lo_import": _LARGE,
    "lo_export": _LARGE,
    "pg_read_file": _FILES,
    "pg_read_binary_file": _FILES,
    "pg_stat_file": _FILES,
    "pg_ls_dir": _FILES,
}


def _denials() -> str:
    rows = ",".join(f"('{name}', $remedy${remedy}$remedy$)" for name, remedy in _DENIED.items())
    return f"""
do $do$
declare
  denied record;
begin
  for denied in
    select p.oid, p.proname, remedy, pg_get_function_arguments(p.oid) as arguments,
           pg_get_function_result(p.oid) as result
    from pg_proc p join (values {rows}) as d(name, remedy) on p.proname = d.name
    where p.pronamespace = 'pg_catalog'::regnamespace
    order by p.oid
  loop
    update pg_proc set proname = 'paychaos_real_' || proname where oid = denied.oid;
    execute format(
      'create function pg_catalog.%I(%s) returns %s language plpgsql as %L',
      denied.proname, denied.arguments, denied.result,
      format('begin raise exception using errcode = %L, message = %L, hint = %L; end',
             '{NOT_SIMULATED}', 'the function ' || denied.proname || '()', denied.remedy));
  end loop;
end
$do$;
"""


def _renames() -> str:
    names = ",".join(f"'pg_catalog.{signature}'::regprocedure" for signature in _REPLACED)
    return f"update pg_proc set proname = 'paychaos_real_' || proname where oid in ({names});"


def _rounded(name: str, kind: str) -> str:
    """A keyword of SQL that takes a precision, as a function: CURRENT_TIMESTAMP(3) is "current_timestamp"(3)."""
    cases = " ".join(f"when {digits} then now()::{kind}({digits})" for digits in range(6))
    return f"""
create function pg_catalog."{name}"() returns {kind} stable parallel safe language sql return now()::{kind};
create function pg_catalog."{name}"(digits int) returns {kind} stable parallel safe language sql
  return case digits {cases} else now()::{kind} end;
"""


def _field(at: int, size: int) -> str:
    return f"paychaos_read('paychaos/' || paychaos_real_pg_backend_pid()::text, {at}, {size})"


_UUID = "overlay(overlay(md5(random()::text || random()::text || random()::text) placing '{version}' from 13)"
_VARIANT = "placing substr('89ab', 1 + floor(random() * 4)::int, 1) from 17)"

TEMPLATE_SQL = f"""
{_renames()}
{_denials()}
-- PostgreSQL's own function finds its code by its id; a copy would look it up by name, slowly, in every statement.
update pg_proc set proname = 'paychaos_read', provolatile = 's', proparallel = 's'
  where oid = 'pg_catalog.paychaos_real_pg_read_file(text, bigint, bigint)'::regprocedure;
grant execute on function pg_catalog.paychaos_read(text, bigint, bigint) to public;

create function pg_catalog.now() returns timestamptz stable parallel safe language sql
  return {_field(0, _STAMP)}::timestamptz;
create function pg_catalog.transaction_timestamp() returns timestamptz stable parallel safe language sql
  return {_field(0, _STAMP)}::timestamptz;
create function pg_catalog.statement_timestamp() returns timestamptz stable parallel safe language sql
  return {_field(_STAMP, _STAMP)}::timestamptz;
create function pg_catalog.clock_timestamp() returns timestamptz volatile parallel safe language sql
  return {_field(2 * _STAMP, _STAMP)}::timestamptz;
create function pg_catalog.timeofday() returns text volatile parallel safe language sql
  return to_char(clock_timestamp(), 'Dy Mon DD HH24:MI:SS.US YYYY TZ');
create function pg_catalog.pg_backend_pid() returns int stable parallel safe language sql
  return {_field(_PID_AT, 10)}::int;
create function pg_catalog."current_date"() returns date stable parallel safe language sql return now()::date;
{_rounded("current_timestamp", "timestamptz")}
{_rounded("localtimestamp", "timestamp")}
{_rounded("current_time", "timetz")}
{_rounded("localtime", "time")}
create function pg_catalog.age(timestamptz) returns interval stable strict parallel safe language sql
  return age(now()::date::timestamptz, $1);
create function pg_catalog.age(timestamp) returns interval stable strict parallel safe language sql
  return age(now()::date::timestamp, $1);

create function pg_catalog.pg_sleep(seconds float8) returns void volatile strict language plpgsql as $$
begin
  if seconds > 0 then
    raise info using errcode = '{SLEEPING}', message = seconds::text;
    perform pg_advisory_lock_shared({SLEEP_LOCK_CLASS}, paychaos_real_pg_backend_pid());
    perform pg_advisory_unlock_shared({SLEEP_LOCK_CLASS}, paychaos_real_pg_backend_pid());
  end if;
end $$;
create function pg_catalog.pg_sleep_for(interval) returns void volatile strict language sql
  return pg_sleep(extract(epoch from $1)::float8);
create function pg_catalog.pg_sleep_until(timestamptz) returns void volatile strict language sql
  return pg_sleep(extract(epoch from $1 - clock_timestamp())::float8);

create function pg_catalog.gen_random_uuid() returns uuid volatile parallel restricted language sql
  return ({_UUID.format(version=4)} {_VARIANT})::uuid;
create function pg_catalog.uuidv4() returns uuid volatile parallel restricted language sql
  return ({_UUID.format(version=4)} {_VARIANT})::uuid;
create function pg_catalog.uuidv7(shift interval) returns uuid volatile parallel restricted language plpgsql as $$
declare
  -- Microseconds; within a session they grow even when time stands still, as PostgreSQL's own do.
  drawn bigint := greatest(
    (extract(epoch from clock_timestamp()) * 1000000)::bigint,
    coalesce(nullif(current_setting('paychaos.uuidv7', true), ''), '0')::bigint + 1);
  stamp bigint := drawn;
begin
  perform set_config('paychaos.uuidv7', drawn::text, false);
  if shift is not null then
    stamp := (extract(epoch from to_timestamp(drawn / 1000000.0) + shift) * 1000000)::bigint;
  end if;
  return (lpad(to_hex(stamp / 1000), 12, '0') || '7' || lpad(to_hex(stamp % 1000 * 4096 / 1000), 3, '0')
    || substr('89ab', 1 + floor(random() * 4)::int, 1)
    || substr(md5(random()::text || random()::text), 1, 15))::uuid;
end $$;
create function pg_catalog.uuidv7() returns uuid volatile parallel restricted language sql
  return uuidv7(null::interval);

create schema {SCHEMA};
create table {SCHEMA}.statistics (
  oid oid primary key, relpages int, reltuples real, relallvisible int, relallfrozen int);
create table {SCHEMA}.seeded (oid oid primary key);
create table {SCHEMA}.tables (oid oid, toast oid);
create table {SCHEMA}.sequences (oid oid, last_value bigint, is_called boolean);
create sequence {SCHEMA}.definitions;

create sequence {SCHEMA}.changes;
create table {SCHEMA}.history (change bigint, line text, relation oid, op text, before json, after json);
create function {SCHEMA}.record() returns trigger language plpgsql security definer
  set plan_cache_mode = force_generic_plan as $$
declare
  line text := {_field(0, _CLIENT_AT + _CLIENT_BYTES)};
begin
  if tg_op = 'INSERT' then
    insert into {SCHEMA}.history values (nextval('{SCHEMA}.changes'), line, tg_relid, tg_op, null, row_to_json(new));
  elsif tg_op = 'UPDATE' then
    insert into {SCHEMA}.history values (
      nextval('{SCHEMA}.changes'), line, tg_relid, tg_op, row_to_json(old), row_to_json(new));
  else
    insert into {SCHEMA}.history values (nextval('{SCHEMA}.changes'), line, tg_relid, tg_op, row_to_json(old), null);
  end if;
  return null;
end $$;
create function {SCHEMA}.watch(watched oid) returns void language plpgsql security definer as $$
begin
  execute format('create trigger zz_paychaos after insert or update or delete on %s '
    'for each row execute function {SCHEMA}.record()', watched::regclass);
end $$;

create function {SCHEMA}.defined() returns event_trigger language plpgsql security definer as $$
declare
  defined record;
begin
  for defined in select * from pg_event_trigger_ddl_commands() where schema_name is distinct from 'pg_temp' loop
    if defined.object_type = 'trigger' and defined.object_identity like 'zz_paychaos on %' then continue; end if;
    perform nextval('{SCHEMA}.definitions');
    if defined.command_tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
      and (select relkind = 'r' from pg_class where oid = defined.objid) then
      perform {SCHEMA}.watch(defined.objid);
    end if;
  end loop;
end $$;
create function {SCHEMA}.dropped() returns event_trigger language plpgsql security definer as $$
begin
  if exists (select 1 from pg_event_trigger_dropped_objects() where not is_temporary) then
    perform nextval('{SCHEMA}.definitions');
  end if;
end $$;
create event trigger paychaos_defined on ddl_command_end execute function {SCHEMA}.defined();
create event trigger paychaos_dropped on sql_drop execute function {SCHEMA}.dropped();
"""


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


@lru_cache(maxsize=64)
def stamp(at_us: int) -> bytes:
    """Microseconds since the epoch as PostgreSQL reads them, always as wide."""
    seconds, microseconds = divmod(at_us, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06d}+00".encode()


class Moment(NamedTuple):
    """What a row of the recorded history says about its transaction."""

    at_us: int
    serial: int
    client: str


def read_line(line: str) -> Moment:
    """A clock file's content as `record` kept it."""
    now = datetime.fromisoformat(line[2 * _STAMP : 3 * _STAMP])
    at_us = (now - _EPOCH) // timedelta(microseconds=1)
    return Moment(at_us, int(line[_SERIAL_AT:_CLIENT_AT]), line[_CLIENT_AT:].rstrip())


class Clock:
    """The file from which one session reads its times, its virtual pid and who its client is."""

    def __init__(self, folder: Path, real_pid: int) -> None:
        self.path = folder / str(real_pid)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._written = b""

    def write(
        self, times_us: tuple[int, int, int], pid: int = 0, serial: int = 0, client: bytes = b""
    ) -> None:
        """Sets what the session sees.

        times_us: the begin of its transaction, the begin of its statement, and now, since the epoch.
        serial: the number of its transaction within the run.
        """
        transaction, statement, now = (stamp(at_us) for at_us in times_us)
        line = _LINE % (transaction, statement, now, pid, serial, client[:_CLIENT_BYTES])
        if line != self._written:
            os.pwrite(self._file, line, 0)
            self._written = line

    def forget(self) -> None:
        """Writes in any case next time: a forked child may have changed the file."""
        self._written = b""

    def close(self) -> None:
        os.close(self._file)
        self.path.unlink(missing_ok=True)
