"""One client connection of the simulated PostgreSQL, and how far its session has come."""

from collections import deque
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.sim.postgres import timeouts
from harness.sim.postgres.prepared import Prepared
from harness.sim.postgres.request import NOTHING, Request
from harness.sim.postgres.session import Session
from harness.sim.service import Timer, Wire
from harness.wire import Frame


@dataclass(slots=True, eq=False)
class Client:
    """A wire and, once it has started, its server session.

    pid, secret: what the client believes to be its backend's. packet: its start-up packet.
    request: the last one; since_us: when it came.
    parked: its query waits for a lock, or sleeps; `queue` holds what the client sent meanwhile.
    skips: a Flush group failed, so the server ignores everything up to the next Sync.
    transaction_us, serial: begin and number of the transaction that is open, if `in_transaction`.
    gone: the client is dead while its query still waits: as in PostgreSQL, the server finds out when it is done.
    statements: what it prepared, where that lives under a name of ours.
    in_context: nothing that it set makes a statement mean something else, or see something else.
    listens: it may have asked for notifications. limits: its time-outs; limited: it may have set some.
    """

    wire: Wire
    name: str
    live: Session | None = None
    packet: bytes = b""
    pid: int = 0
    secret: int = 0
    request: Request = NOTHING
    since_us: int = 0
    parked: bool = False
    sleeping: bool = False
    skips: bool = False
    gone: bool = False
    queue: deque[Frame] = field(default_factory=deque)
    timers: list[Timer] = field(default_factory=list)
    in_transaction: bool = False
    transaction_us: int = 0
    serial: int = 0
    statements: dict[bytes, Prepared] = field(default_factory=dict)
    in_context: bool = True
    listens: bool = False
    limits: timeouts.Timeouts = timeouts.NONE
    limited: bool = False

    @property
    def session(self) -> Session:
        if self.live is None:
            raise HarnessError(f"{self.name} has no PostgreSQL session, but something was asked of it")
        return self.live

    def cancel_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()

    def tell_time(self, now_us: int) -> None:
        """Writes what the session reads: its times, who it is, and which transaction this is."""
        clock = self.session.clock
        if clock is None:
            raise HarnessError("a client's session has no clock: its real pid is unknown")
        clock.write((self.transaction_us, self.since_us, now_us), self.pid, self.serial, self.name.encode())
