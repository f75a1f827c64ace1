"""The node's own session: it observes rows, asks who waits for whom, and holds the locks that sleepers wait on."""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.sim.postgres import messages, values
from harness.sim.postgres.answer import Answer
from harness.sim.postgres.session import QueryFailed, Session
from harness.sim.postgres.virtual import SCHEMA, SLEEP_LOCK_CLASS
from harness.wire.postgres import messages as split

_SHORT = struct.Struct("!h")
_INT = struct.Struct("!i")

DEFINITIONS, HISTORY = 0, 1
"""Whether the catalogue was changed, and the recorded history: their places in a look, beside real ids."""

_SIZE = "paychaos_real_pg_relation_size"
_USED_SEQUENCES = f"""
from {SCHEMA}.sequences s, pg_get_sequence_data(s.oid) d
where (d.last_value, d.is_called) is distinct from (s.last_value, s.is_called)"""

# A session waits for a lock exactly when somebody is in its way.
_PREPARED = f"""
set plan_cache_mode = force_generic_plan;
set session_replication_role = replica;
prepare waiting (int[]) as
  select pid from unnest($1) pid where paychaos_real_pg_blocking_pids(pid) <> '{{}}';
prepare waits (int[]) as
  select pid, locktype, mode, database, relation, page, tuple, transactionid::text::bigint as xid,
         classid, objid, objsubid, paychaos_real_pg_blocking_pids(pid) as blockers
  from pg_lock_status() where not granted and pid = any($1);
prepare look as
  select oid::bigint as oid, {_SIZE}(oid) as size, paychaos_real_pg_indexes_size(oid) as index_size,
         case when toast = 0 then 0 else {_SIZE}(toast) end as toast_size
  from {SCHEMA}.tables where {_SIZE}(oid) > 0
  union all select s.oid, 0, 0, 0 {_USED_SEQUENCES}
  union all select {DEFINITIONS}, 0, 0, 0 from pg_get_sequence_data('{SCHEMA}.definitions') where is_called
  union all select {HISTORY}, paychaos_real_pg_table_size('{SCHEMA}.history'), 0, 0;
prepare restart as
  select setval('{SCHEMA}.changes', 1, false)
  union all select setval(s.oid, s.last_value, s.is_called) {_USED_SEQUENCES};
-- VACUUM and TRUNCATE leave their own figures; plans must be those of a table that nobody ever looked at.
prepare restore_statistics as
  update pg_class c set relpages = s.relpages, reltuples = s.reltuples, relallvisible = s.relallvisible,
    relallfrozen = s.relallfrozen
  from {SCHEMA}.statistics s
  where s.oid = c.oid and (c.relpages, c.reltuples, c.relallvisible, c.relallfrozen)
    is distinct from (s.relpages, s.reltuples, s.relallvisible, s.relallfrozen);
"""


class Wait(NamedTuple):
    """One lock that a session waits for, and the real pids that are in its way (`pg_locks` has the words)."""

    pid: int
    locktype: str
    mode: str
    database: int | None
    relation: int | None
    page: int | None
    tuple: int | None
    xid: int | None
    classid: int | None
    objid: int | None
    objsubid: int | None
    blockers: list[int]


class Control:
    """Wraps one superuser session of the database."""

    def __init__(self, session: Session) -> None:
        self.session = session
        session.run(_PREPARED)

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """The rows of one statement. Raises `QueryFailed` with the server's words."""
        if parameters:
            self.session.send(_extended(sql, parameters))
        else:
            self.session.send(messages.query(sql))
        answer = self.session.wait()
        if answer.error is not None:
            raise QueryFailed(answer.error)
        return rows_of(answer)

    def look(self, *others: str) -> tuple[dict[int, dict[str, int]], list[Answer]]:
        """What is not as new, by id: tables with a page, used sequences; and the answers to `others`."""
        look, *answers = self.pipeline(["execute look", *others])
        return {row["oid"]: row for row in rows_of(look)}, answers

    def pipeline(self, statements: Sequence[str]) -> list[Answer]:
        """Several simple queries in one write; raises for the first that failed, after all have been answered."""
        self.session.send(b"".join(messages.query(sql) for sql in statements))
        answers = [self.session.wait() for _ in statements]
        for answer in answers:
            if answer.error is not None:
                raise QueryFailed(answer.error)
        return answers

    def waiting(self, pids: Sequence[int]) -> set[int]:
        """Those of the real `pids` that wait for a lock right now."""
        return {row["pid"] for row in self.rows(f"execute waiting('{_literal(pids)}')")}

    def waits(self, pids: Sequence[int]) -> dict[int, Wait]:
        """What each of the real `pids` waits for."""
        return {row["pid"]: Wait(**row) for row in self.rows(f"execute waits('{_literal(pids)}')")}

    def hold_sleep(self, real_pid: int) -> None:
        """From now on `pg_sleep` of that session sleeps until `wake`."""
        self.session.run(f"select pg_advisory_lock({SLEEP_LOCK_CLASS}, {real_pid})")

    def wake(self, real_pid: int) -> None:
        """Lets the session that sleeps go on; the opposite of `hold_sleep`."""
        self.session.run(f"select pg_advisory_unlock({SLEEP_LOCK_CLASS}, {real_pid})")


def _literal(pids: Sequence[int]) -> str:
    return "{" + ",".join(map(str, pids)) + "}"


def _extended(sql: str, parameters: Sequence[object]) -> bytes:
    bound = [_SHORT.pack(0), _SHORT.pack(len(parameters))]
    for parameter in parameters:
        text = values.write(parameter)
        bound.append(_INT.pack(-1) if text is None else _INT.pack(len(text)) + text)
    bound.append(_SHORT.pack(0))
    return b"".join(
        (
            messages.message(b"P", b"\0" + sql.encode() + b"\0" + _SHORT.pack(0)),
            messages.message(b"B", b"\0\0" + b"".join(bound)),
            messages.message(b"D", b"P\0"),
            messages.message(b"E", b"\0" + _INT.pack(0)),
            messages.message(b"S", b""),
        )
    )


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """The rows of the last result set of an answer in text form."""
    columns: list[tuple[str, int]] = []
    rows: list[dict[str, Any]] = []
    for letter, at, _ in split(answer.data):
        if letter == 0x54:  # RowDescription
            columns, rows = _columns(answer.data, at + 5), []
        elif letter == 0x44:  # DataRow
            rows.append(_row(answer.data, at + 7, columns))
    return rows


def values_of(answer: Answer) -> list[str]:
    """The one value of each result set of an answer."""
    return [answer.data[at + 11 : end].decode() for letter, at, end in split(answer.data) if letter == 0x44]


def _columns(data: bytes, at: int) -> list[tuple[str, int]]:
    columns = []
    (count,) = _SHORT.unpack_from(data, at)
    at += 2
    for _ in range(count):
        end = data.index(b"\0", at)
        columns.append((data[at:end].decode(), _INT.unpack_from(data, end + 7)[0]))
        at = end + 19
    return columns


def _row(data: bytes, at: int, columns: list[tuple[str, int]]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, type_oid in columns:
        (length,) = _INT.unpack_from(data, at)
        at += 4
        if length < 0:
            row[name] = None
            continue
        row[name] = values.read(type_oid, data[at : at + length].decode())
        at += length
    return row
