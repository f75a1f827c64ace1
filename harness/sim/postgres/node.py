"""The PostgreSQL of the simulated world: forwards every request to a real session and answers at once, or parks it.

The server is asked synchronously, so the database is a function of the order of messages. A query that has to wait
for a lock is parked and its process stopped; whenever an answer may have freed a lock, the parked queries that got
theirs go on one after the other, in the order in which they were parked. At no time do two of them run side by side.
"""

import struct
from collections.abc import Callable

from harness.errors import HarnessError, NotSimulated
from harness.sim.postgres import deadlock, messages
from harness.sim.postgres.client import Client
from harness.sim.postgres.database import Database
from harness.sim.postgres.errors import PostgresUnavailable
from harness.sim.postgres.request import read_request
from harness.sim.postgres.session import Answer, Session, SessionClosed
from harness.sim.postgres.virtual import NOT_SIMULATED
from harness.sim.service import Host, Wire
from harness.wire import Frame
from harness.wire.postgres import CANCEL_REQUEST, GSS_REQUEST, SSL_REQUEST, PostgresConversation
from harness.wire.postgres import messages as split

_CODE = struct.Struct("!i")
_KEY = struct.Struct("!ii")
_FIRST_PID = 1001
_DEADLOCK_TIMEOUT_US = 1_000_000
_POLLS_MS = (1, 1, 2, 2, 4, 4, 8, 8, *[20] * 3_000)  # a minute in all


class PostgresNode:
    """A `Service`. One per run; `finish` gives the sessions back to the database at its end."""

    def __init__(self, host: Host, database: Database) -> None:
        self._host = host
        self._database = database
        self._clients: dict[Wire, Client] = {}
        self._parked: list[Client] = []
        self._next_pid = _FIRST_PID
        self._serial = 0
        self._up = True

    def conversation(self) -> PostgresConversation:
        return PostgresConversation()

    # --- the wire

    def opened(self, wire: Wire) -> None:
        if not self._up:
            wire.abort()
            return
        self._clients[wire] = Client(wire, wire.client)

    def received(self, wire: Wire, request: Frame) -> None:
        """One request; a query that waits for a lock is answered later."""
        client = self._clients.get(wire)
        if client is None:
            return
        if client.parked:
            client.queue.append(request)
            return
        self._handle(client, request)
        self._settle()

    def closed(self, wire: Wire) -> None:
        """The client is dead: its transaction is rolled back and its locks are free.

        A query of it that waits for a lock goes on waiting and then runs, as in PostgreSQL.
        """
        client = self._clients.pop(wire, None)
        if client is None:
            return
        client.gone = True
        if not client.parked:
            self._end(client)
            self._settle()

    # --- faults

    def crash(self) -> None:
        """Power cut: connections break, open transactions are gone, nobody can connect until `restart`."""
        self._up = False
        clients = list(self._clients.values())
        clients += [client for client in self._parked if client.gone]
        self._clients.clear()
        self._parked.clear()
        self._abandon(clients)
        for client in clients:
            if not client.gone:
                client.wire.abort()

    def restart(self) -> None:
        """The opposite of `crash`: connections are accepted again; what was committed is there."""
        self._up = True

    def finish(self) -> None:
        """The run is over: every session is cleaned and given back. The node is of no use afterwards."""
        self.crash()

    def _abandon(self, clients: list[Client]) -> None:
        """Ends the sessions of `clients` whatever they do, the waiting ones last to first."""
        for client in reversed(clients):
            client.cancel_timers()
            session = client.session
            if session is not None and client.parked:
                session.cancel()
                session.go_on()
                try:
                    session.wait()
                except SessionClosed:
                    client.session = None
                    session.drop()
        for client in clients:
            client.gone = True
            client.parked = False
            self._end(client)

    # --- requests

    def _handle(self, client: Client, frame: Frame) -> None:
        if client.session is None:
            self._handle_packet(client, frame.data)
        elif frame.data[:1] == b"X":
            self._clients.pop(client.wire, None)
            self._end(client)
            client.wire.close()
        else:
            self._execute(client, frame)

    def _handle_packet(self, client: Client, packet: bytes) -> None:
        (code,) = _CODE.unpack_from(packet, 4)
        if code in (SSL_REQUEST, GSS_REQUEST):
            client.wire.reply(b"N")
        elif code == CANCEL_REQUEST:
            self._cancel_request(*_KEY.unpack_from(packet, 8))
            self._clients.pop(client.wire, None)
            client.wire.close()
        else:
            self._start(client, packet)

    def _start(self, client: Client, packet: bytes) -> None:
        refusal = self._refusal(packet)
        if refusal is None:
            try:
                session = self._database.lease(packet)
            except SessionClosed as closed:
                refusal = closed.reply
        if refusal is not None:
            self._clients.pop(client.wire, None)
            client.wire.reply(refusal)
            client.wire.close()
            return
        client.session, client.packet = session, packet
        client.pid, self._next_pid = self._next_pid, self._next_pid + 1
        client.secret = self._host.random.getrandbits(31)
        if session.clock is not None:
            session.clock.forget()
        self._tell_time(client)
        session.run(f"select setseed({self._host.random.uniform(-1, 1)!r})")
        client.wire.reply(_with_key(session.startup_reply, client.pid, client.secret))

    def _refusal(self, packet: bytes) -> bytes | None:
        """The server's words for a database that the simulation does not have."""
        parameters = messages.startup_parameters(packet)
        if "replication" in parameters:
            raise NotSimulated("a replication connection", "Use LISTEN/NOTIFY or an outbox table.")
        wanted = parameters.get("database", parameters.get("user", ""))
        if wanted == self._database.name:
            return None
        words = {"S": "FATAL", "V": "FATAL", "C": "3D000", "M": f'database "{wanted}" does not exist'}
        return messages.error({**words, "F": "postinit.c", "L": "1019", "R": "InitPostgres"})

    def _execute(self, client: Client, frame: Frame) -> None:
        session = _session(client)
        request = read_request(frame.data)
        self._tell_time(client)
        client.listens = client.listens or request.listens
        client.request = request
        session.send(request.data, request.owed)
        answer = self._await(client)
        if answer is None:
            self._park(client)
        else:
            self._complete(client, answer)

    def _tell_time(self, client: Client) -> None:
        """Writes what the next statement of this client will take for the time, its pid and its client."""
        now_us = self._host.now_us
        if not client.in_transaction:
            client.in_transaction = True
            client.transaction_us = now_us
            self._serial += 1
            client.serial = self._serial
        clock = _session(client).clock
        if clock is None:
            raise HarnessError(
                "a client's session has no clock: its real pid was not read from the start-up reply"
            )
        clock.write(client.transaction_us, now_us, client.pid, client.serial, client.name.encode())
        self._database.clock.write(now_us)

    def _await(self, client: Client) -> Answer | None:
        """The answer, or None when the query waits for a lock. Neither depends on how fast the machine is."""
        session = _session(client)
        for milliseconds in _POLLS_MS:
            answer = session.poll(milliseconds)
            if answer is not None:
                return answer
            if self._database.control.waiting([session.real_pid]):
                return None
        raise PostgresUnavailable(
            f"a query of {client.name} ran for a minute. Make it smaller: the simulated PostgreSQL answers at once."
        )

    def _complete(self, client: Client, answer: Answer) -> None:
        """Gives the answer to the client, then takes up what it sent while it was parked."""
        request = client.request
        if answer.error is not None and answer.error.get("C") == NOT_SIMULATED:
            raise NotSimulated(answer.error["M"], answer.error.get("H", ""))
        # After a Flush the implicit transaction stays open until the Sync.
        client.in_transaction = _session(client).status != "I" or request.owed is not None
        if not client.gone:
            for notification in answer.notifications:
                client.wire.push(self._with_virtual_pid(notification))
            client.wire.reply(answer.data)
        if not client.in_transaction:
            self._deliver_notifications()
        if client.queue:
            self._handle(client, client.queue.popleft())
        elif client.gone:
            self._end(client)

    def _end(self, client: Client) -> None:
        """Gives the session back; it rolls back and frees its locks."""
        client.cancel_timers()
        session, client.session = client.session, None
        if session is not None:
            self._database.release(client.packet, session)

    # --- waiting

    def _park(self, client: Client) -> None:
        session = _session(client)
        session.stop()
        client.parked = True
        if client not in self._parked:
            self._parked.append(client)
        if session.sleep_us is not None:
            client.sleeping = True
            self._after(client, session.sleep_us, self._wake)
        else:
            self._after(client, _DEADLOCK_TIMEOUT_US, self._look_for_deadlock)

    def _after(self, client: Client, delay_us: int, call: Callable[[Client], None]) -> None:
        def fire() -> None:
            if client.parked:
                call(client)
                self._settle()

        client.timers.append(self._host.call_later(delay_us, fire))

    def _settle(self) -> None:
        """Lets parked queries go on that got their lock, one at a time, until none is left."""
        while True:
            waiting = [client for client in self._parked if not client.sleeping]
            if not waiting:
                return
            still = self._database.control.waiting([_session(client).real_pid for client in waiting])
            freed = next((client for client in waiting if _session(client).real_pid not in still), None)
            if freed is None:
                return
            self._go_on(freed)

    def _go_on(self, client: Client) -> None:
        """Runs a freed query until it is answered or waits again; in that case it keeps its place."""
        self._database.clock.write(self._host.now_us)
        client.cancel_timers()
        client.parked = client.sleeping = False
        _session(client).go_on()
        answer = self._await(client)
        if answer is None:
            self._park(client)
            return
        self._parked.remove(client)
        self._complete(client, answer)

    def _wake(self, client: Client) -> None:
        pid = _session(client).real_pid
        self._database.control.wake(pid)
        self._go_on(client)
        self._database.control.hold_sleep(pid)

    def _look_for_deadlock(self, client: Client) -> None:
        """What PostgreSQL does after `deadlock_timeout`: the query that finds itself in a cycle gives up."""
        waits = self._database.control.waits([_session(c).real_pid for c in self._parked])
        by_pid = {_session(c).real_pid: c for c in self._clients_with_session()}
        cycle = deadlock.cycle(_session(client).real_pid, waits)
        if cycle:
            self._give_up(client, deadlock.report([waits[pid] for pid in cycle], by_pid))

    def _clients_with_session(self) -> list[Client]:
        known = [client for client in self._clients.values() if client.session is not None]
        return known + [client for client in self._parked if client.gone]

    def _give_up(self, client: Client, words: dict[str, str]) -> None:
        """Cancels a parked query; its error becomes the one that `words` tell."""
        session = _session(client)
        self._parked.remove(client)
        client.cancel_timers()
        client.parked = client.sleeping = False
        session.cancel()
        session.go_on()
        answer = session.wait()
        self._complete(client, _reworded(answer, words))

    def _cancel_request(self, pid: int, secret: int) -> None:
        for client in self._parked:
            if (client.pid, client.secret) == (pid, secret):
                self._give_up(client, {})
                self._settle()
                return

    # --- notifications

    def _deliver_notifications(self) -> None:
        """Listening sessions that are idle are asked for what reached them, in the order of their connections."""
        for client in self._clients.values():
            session = client.session
            if session is None or not client.listens or client.parked or client.in_transaction:
                continue
            session.send(messages.query(""))
            for notification in session.wait().notifications:
                client.wire.push(self._with_virtual_pid(notification))

    def _with_virtual_pid(self, notification: bytes) -> bytes:
        (real,) = _CODE.unpack_from(notification, 5)
        pids = {_session(c).real_pid: c.pid for c in self._clients_with_session()}
        return notification[:5] + _CODE.pack(pids.get(real, 0)) + notification[9:]


def _session(client: Client) -> Session:
    if client.session is None:
        raise HarnessError(f"{client.name} has no PostgreSQL session, but something was asked of it")
    return client.session


def _with_key(reply: bytes, pid: int, secret: int) -> bytes:
    """The start-up answer with the client's own BackendKeyData."""
    parts = []
    for letter, at, end in split(reply):
        parts.append(messages.message(b"K", _KEY.pack(pid, secret)) if letter == 0x4B else reply[at:end])
    return b"".join(parts)


def _reworded(answer: Answer, words: dict[str, str]) -> Answer:
    """The answer of a cancelled query with another error: the context stays, the cause changes."""
    if answer.error is None or not words:
        return answer
    error = {**answer.error, **words}
    parts = []
    for letter, at, end in split(answer.data):
        parts.append(messages.error(error) if letter == 0x45 else answer.data[at:end])
    return Answer(b"".join(parts), answer.notifications, error)
