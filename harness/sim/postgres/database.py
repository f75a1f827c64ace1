"""One database of the simulated world: made once from its schema, as new again before every run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.errors import UsageError
from harness.run import RowChange
from harness.sim.postgres import messages, timeouts
from harness.sim.postgres.cluster import PostgresCluster
from harness.sim.postgres.control import Control, values_of
from harness.sim.postgres.history import changes
from harness.sim.postgres.prepared import Descriptions, prepare
from harness.sim.postgres.pristine import Pristine
from harness.sim.postgres.rewrite import rewrite
from harness.sim.postgres.session import QueryFailed, Session, SessionClosed

CREATED_US = 1_767_225_600_000_000
"""2026-01-01 00:00 UTC."""

# DISCARD ALL, but for the prepared statements.
_CLEAN = messages.query(
    "rollback; close all; set session authorization default; reset all; unlisten *;"
    "select pg_advisory_unlock_all(); discard temp; discard sequences"
)
_CLEAN_ANSWERS = 3
_UNLOGGED = "select oid::regclass::text as name from pg_class where relkind = 'r' and relpersistence = 'u' order by oid"


class Database:
    """A database with a schema, its pool of warm sessions and a control session.

    schema_sql: run once as the owner; the rows it inserts are there at the start of every run.
    now: the virtual time that `query` sees; a node sets it.
    created_us: what `now()` is while the schema runs, in microseconds since the epoch.
    name, user: what a client's DSN has to say. The user is the owner and a superuser, as in PostgreSQL's own image.

    Works in one process and under `fork`: a child inherits everything, runs one simulation and leaves with
    `os._exit`. `reset` makes the state as new, `recover` does so after a run that was killed in the middle.
    """

    def __init__(
        self,
        cluster: PostgresCluster,
        schema_sql: str = "",
        *,
        name: str = "app",
        user: str = "app",
        created_us: int = CREATED_US,
    ) -> None:
        self.cluster = cluster
        self.name = name
        self.user = user
        self._idle: dict[bytes, list[Session]] = {}
        self._demand: dict[bytes, int] = {}
        self._leased: list[Session] = []
        self._ended: list[int] = []
        self.descriptions = Descriptions(self._connect)
        self.now: Callable[[], int] = lambda: created_us
        self._pristine = Pristine(cluster, name, user)
        self._pristine.create(schema_sql, created_us)
        self._open_control()

    def _open_control(self) -> None:
        self.control = Control(self.cluster.connect(self.name))

    def close(self) -> None:
        """Ends every session of this database; the database itself goes with the cluster."""
        self._drop_sessions()
        self.control.session.close()

    # --- sessions

    def lease(self, packet: bytes) -> Session:
        """A clean session for a client's start-up packet. Raises `SessionClosed` with the server's refusal."""
        self._demand[packet] = self._demand.get(packet, 0) + 1
        session = self._take(packet) or self._open(packet)
        self._leased.append(session)
        return session

    def _take(self, packet: bytes) -> Session | None:
        idle = self._idle.get(packet, [])
        while idle:
            session = idle.pop()
            if session.alive():
                session.forget_clock()
                return session
            session.drop()
        return None

    def _open(self, packet: bytes) -> Session:
        session = self._connect(packet)
        session.limits = timeouts.read(values_of(session.run(timeouts.READ_SQL)))
        self.control.hold_sleep(session.real_pid)
        return session

    def _connect(self, packet: bytes) -> Session:
        parameters = timeouts.of_startup(messages.startup_parameters(packet))
        session = self.cluster.connect(**{"database": parameters.get("user", ""), **parameters})
        session.newest_type = self._pristine.newest_type
        return session

    def release(self, leased: Sequence[tuple[bytes, Session]]) -> None:
        """Gives sessions back: their transactions end, their locks are free, their settings are gone."""
        for _, session in leased:
            closes = [messages.message(b"C", b"S" + name + b"\0") for name in sorted(session.named)]
            session.named.clear()
            session.send(b"".join((messages.SYNC, _CLEAN, *closes, messages.SYNC)))
        for packet, session in leased:
            self._leased.remove(session)
            if session.broken or not _is_clean(session):
                session.drop()
            else:
                self._idle.setdefault(packet, []).append(session)

    def demand(self) -> dict[bytes, int]:
        """What is worth having ready for a run like the one since the last `reset`; see `warm`.

        A start-up packet and how many sessions it asked for, or a start-up packet followed by the Parse message of a
        statement that such sessions were asked to prepare.
        """
        statements = {
            packet + messages.message(b"P", b"\0" + body): 1 for packet, body in self.descriptions.known()
        }
        return self._demand | statements

    def warm(self, demand: Mapping[bytes, int]) -> None:
        """Opens sessions and prepares statements ahead, so that no run pays for them."""
        bodies: dict[bytes, list[bytes]] = {}
        for key in demand:
            packet, parse = messages.split_packet(key)
            bodies.setdefault(packet, [])
            if parse:
                bodies[packet].append(parse[6:])
        for packet, wanted in bodies.items():
            idle = self._idle[packet] = [s for s in self._idle.get(packet, []) if s.alive()]
            while len(idle) < demand.get(packet, 0):
                try:
                    idle.append(self._open(packet))
                except SessionClosed:
                    break
            prepared = [self.descriptions.find(packet, body) for body in wanted] if idle else []
            prepare([found for found in prepared if found is not None], idle)

    def _drop_sessions(self) -> None:
        for session in (*self._leased, *(session for idle in self._idle.values() for session in idle)):
            session.drop()
        self._leased.clear()
        self._idle.clear()
        self.descriptions.drop_sessions()

    # --- state

    def reset(self) -> None:
        """Makes everything as it was after `schema_sql`: rows, their order, sequences and the catalogue."""
        self._demand.clear()
        self._ended.clear()
        if not self.control.session.alive():  # another process made the database again
            self._end_sessions()
            self._open_control()
        if not self._pristine.reset(self.control):
            self._end_sessions()
            self._pristine.create_again()
            self._open_control()

    def power_cut(self) -> None:
        """What PostgreSQL's recovery does to the data: unlogged tables are empty. Nobody may hold a session."""
        rows = self.control.rows(_UNLOGGED)
        if rows:
            self.control.session.run("truncate only " + ", ".join(row["name"] for row in rows))

    def recover(self) -> None:
        """As `reset`, after a run that ended without giving its sessions back: all of them are replaced."""
        wanted = self.demand() | {packet: len(sessions) for packet, sessions in self._idle.items()}
        self._end_sessions()
        self._open_control()
        self.reset()
        self.warm(wanted)

    def _end_sessions(self) -> None:
        self._drop_sessions()
        self.control.session.drop()
        self.cluster.end_sessions(self.name)

    @property
    def notifies(self) -> bool:
        """Whether a function of the schema sends notifications."""
        return self._pristine.notifies

    @property
    def remembers(self) -> bool:
        """Whether what the server says to a statement that is prepared depends on nothing but the schema."""
        return self._pristine.remembers

    def ended(self, serial: int) -> None:
        """The node tells that this transaction of the run has ended."""
        self._ended.append(serial)

    def row_history(self) -> list[RowChange]:
        """The committed row changes since the last `reset`, in the order of their commits."""
        return changes(self.control, self._ended)

    def query(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """The rows of one SQL statement as dicts of plain values; sees what is committed, at the run's virtual time.

        Raises `UsageError` with PostgreSQL's words when the statement is wrong.
        """
        self.control.session.tell_time(self.now())
        try:
            return self.control.rows(rewrite(sql).sql, *parameters)
        except QueryFailed as error:
            raise UsageError(
                f"the query {sql.strip()!r} failed: {error.fields.get('M')} (SQLSTATE {error.fields.get('C')}). "
                "Compare it with the target's schema."
            ) from None


def _is_clean(session: Session) -> bool:
    try:
        return all(answer.error is None for answer in [session.wait() for _ in range(_CLEAN_ANSWERS)])
    except SessionClosed:
        return False
