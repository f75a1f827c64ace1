"""One client connection of the simulated PostgreSQL, and how far its session has come."""

from collections import deque
from dataclasses import dataclass, field

from harness.sim.postgres.request import NOTHING, Request
from harness.sim.postgres.session import Session
from harness.sim.service import Timer, Wire
from harness.wire import Frame


@dataclass(slots=True, eq=False)
class Client:
    """A wire and, once it has started, its server session.

    pid, secret: what the client believes to be its backend's. packet: its start-up packet.
    parked: its query waits for a lock (or sleeps, `wakes`); `queue` holds what it sent meanwhile.
    transaction_us, serial: begin and number of the open transaction; `in_transaction` tells whether one is open.
    gone: the client is dead while its query still waits: as in PostgreSQL, the server finds out when it is done.
    """

    wire: Wire
    name: str
    session: Session | None = None
    packet: bytes = b""
    pid: int = 0
    secret: int = 0
    request: Request = NOTHING
    parked: bool = False
    sleeping: bool = False
    gone: bool = False
    queue: deque[Frame] = field(default_factory=deque)
    timers: list[Timer] = field(default_factory=list)
    in_transaction: bool = False
    transaction_us: int = 0
    serial: int = 0
    listens: bool = False

    def cancel_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
