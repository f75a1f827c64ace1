"""The PostgreSQL of the simulated world: forwards every request to a real session and answers at once, or parks it.

The server is asked synchronously, so the database is a function of the order of messages. A query that has to wait
for a lock is parked (`waiting.WaitingRoom`); at no time do two queries run side by side.
"""

import struct
from collections.abc import Iterable

from harness.errors import NotSimulated
from harness.sim.postgres import control, messages, timeouts
from harness.sim.postgres.answer import Answer
from harness.sim.postgres.client import Client
from harness.sim.postgres.database import Database
from harness.sim.postgres.prepared import HIDDEN, Prepared, forgotten
from harness.sim.postgres.request import Request, read_request
from harness.sim.postgres.rewrite import may_change_context
from harness.sim.postgres.session import SessionClosed
from harness.sim.postgres.virtual import NOT_SIMULATED
from harness.sim.postgres.waiting import WaitingRoom
from harness.sim.service import Host, Wire
from harness.wire import Frame
from harness.wire.postgres import CANCEL_REQUEST, GSS_REQUEST, SSL_REQUEST, PostgresConversation
from harness.wire.postgres import messages as split

_CODE = struct.Struct("!i")
_KEY = struct.Struct("!ii")
_FIRST_PID = 1001
_BACKEND_KEY_DATA = 0x4B
_READY_AFTER = {status: messages.message(b"Z", status.encode()) for status in "ITE"}


class PostgresNode:
    """A `Service`. One per run, after `Database.reset`; `finish` gives the sessions back at the run's end."""

    def __init__(self, host: Host, database: Database) -> None:
        self._host = host
        self._database = database
        self._clients: dict[Wire, Client] = {}
        self._waiting = WaitingRoom(host, database, self)
        self._next_pid = _FIRST_PID
        self._serial = 0
        self._notifies = database.notifies
        self._defines = False
        self._up = True
        database.now = lambda: host.now_us

    def conversation(self) -> PostgresConversation:
        """A fresh reader for one connection."""
        return PostgresConversation()

    # --- the wire

    def opened(self, wire: Wire) -> None:
        """A client connects; while the node is down its connection is broken at once."""
        if self._up:
            self._clients[wire] = Client(wire, wire.client)
        else:
            wire.abort()

    def received(self, wire: Wire, request: Frame) -> None:
        """One request; a query that waits for a lock is answered later."""
        client = self._clients.get(wire)
        if client is None:
            return
        if client.parked:
            client.queue.append(request)
            return
        client.cancel_timers()
        self._handle(client, request)
        self._waiting.settle()

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
            self._waiting.settle()

    def clients(self) -> Iterable[Client]:
        """Every client with a session, also the dead ones whose query still waits."""
        yield from (client for client in self._clients.values() if client.live is not None)
        yield from (client for client in self._waiting.parked if client.gone)

    # --- faults

    def crash(self) -> None:
        """Power cut: connections break, open transactions are gone, nobody can connect until `restart`."""
        self._up = False
        wires = list(self._clients)
        self._abandon()
        self._database.power_cut()
        for wire in wires:
            wire.abort()

    def restart(self) -> None:
        """The opposite of `crash`: connections are accepted again; what was committed is there."""
        self._up = True

    def finish(self) -> None:
        """The run is over: every session is cleaned and given back. The node is of no use afterwards."""
        self._up = False
        self._abandon()

    def _abandon(self) -> None:
        """Ends all sessions whatever they do. The last to wait is interrupted first, so that no other gets a lock."""
        clients = list(self.clients())
        for client in reversed(list(self._waiting.parked)):
            try:
                self._waiting.interrupt(client)
            except SessionClosed:
                client.session.broken = True
        for client in clients:
            client.gone = True
            client.cancel_timers()
        self._clients.clear()
        self._database.release([(client.packet, client.session) for client in clients])
        for client in clients:
            client.live = None

    # --- the beginning and the end of a connection

    def _handle(self, client: Client, frame: Frame) -> None:
        if client.live is None:
            self._handle_packet(client, frame.data)
        elif frame.data[:1] == b"X":
            self._hang_up(client)
        else:
            self._execute(client, frame.data)

    def _handle_packet(self, client: Client, packet: bytes) -> None:
        (code,) = _CODE.unpack_from(packet, 4)
        if code in (SSL_REQUEST, GSS_REQUEST):
            client.wire.reply(b"N")
        elif code == CANCEL_REQUEST:
            self._waiting.cancel_request(*_KEY.unpack_from(packet, 8))
            self._hang_up(client)
        else:
            self._start(client, packet)

    def _start(self, client: Client, packet: bytes) -> None:
        self._refuse_other_databases(messages.startup_parameters(packet))
        try:
            session = self._database.lease(packet)
        except SessionClosed as closed:
            client.wire.reply(closed.reply)
            self._hang_up(client)
            return
        client.live, client.packet = session, packet
        client.limits = session.limits
        client.limited = client.limits != timeouts.NONE
        client.in_context = not may_change_context(packet.decode("utf-8", "replace"))
        client.pid, self._next_pid = self._next_pid, self._next_pid + 1
        client.secret = self._host.random.getrandbits(31)
        self._begin(client)
        session.run(f"select setseed({self._host.random.uniform(-1, 1)!r})")
        client.in_transaction = False
        client.wire.reply(_with_key(session.startup_reply, client.pid, client.secret))
        self._watch_idle(client)

    def _refuse_other_databases(self, parameters: dict[str, str]) -> None:
        if "replication" in parameters:
            raise NotSimulated("a replication connection", "Use LISTEN/NOTIFY or an outbox table.")
        wanted = parameters.get("database", parameters.get("user", ""))
        if wanted in ("postgres", "template0", "template1"):
            raise NotSimulated(
                f"a connection to the database {wanted!r}",
                f"The target has one database, {self._database.name!r}.",
            )

    def _hang_up(self, client: Client) -> None:
        self._clients.pop(client.wire, None)
        self._end(client)
        client.wire.close()

    def _end(self, client: Client) -> None:
        """Gives the session back; it rolls back and frees its locks."""
        client.cancel_timers()
        session, client.live = client.live, None
        if session is not None:
            self._database.release([(client.packet, session)])

    # --- requests

    def _execute(self, client: Client, data: bytes) -> None:
        request = read_request(data, client.statements)
        if client.skips and request.owed is not None:
            self._reply(client, Answer(b""))
            self._next(client)
            return
        client.request = request
        self._heed(client, request)
        self._begin(client)
        prepared = self._remembered(client, request)
        if prepared is not None:
            ready = b"" if request.owed is not None else _READY_AFTER[client.session.status]
            self.complete(client, Answer(prepared.reply + ready))
            return
        self._send(client, request)
        try:
            answer = self._waiting.answer_of(client)
        except SessionClosed as closed:
            self.closed_by_server(client, closed.reply)
            return
        if answer is None:
            self._waiting.park(client)
        else:
            self.complete(client, answer)

    def _heed(self, client: Client, request: Request) -> None:
        """Keeps in mind what the statements of a request may do to later ones."""
        for name in request.closes:
            client.statements.pop(name, None)
        for statement in request.statements:
            client.listens = client.listens or statement.listens
            client.limited = client.limited or statement.sets_timeout
            client.in_context = client.in_context and not statement.changes_context
            self._notifies = self._notifies or statement.notifies
            self._defines = self._defines or statement.defines
            if statement.prepares:
                client.session.prepared.clear()
                client.session.broken = True
                forgotten(statement.sql, client.statements)

    def _remembered(self, client: Client, request: Request) -> Prepared | None:
        """The answer to a request that only prepares, if the server's would be the same at any time.

        It would not be after the catalogue changed or a table was locked in this run, for a client that set a schema,
        a role or an isolation level (whose snapshot begins with the first statement), or in a failed transaction.
        """
        may = self._database.remembers and not self._defines and client.in_context
        if may and request.prepares is not None and client.session.status != "E":
            name, body = request.prepares
            prepared = self._database.descriptions.find(client.packet, body)
            if prepared is not None:
                client.statements[name] = prepared
                return prepared
        for name in request.names:
            client.statements.pop(name, None)
            client.session.named.add(name)
        return None

    def _send(self, client: Client, request: Request) -> None:
        """Forwards a request; statements of ours that the session does not have yet go before it."""
        session = client.session
        new = [prepared for prepared in request.binds if prepared.name not in session.prepared]
        session.prepared.update(prepared.name for prepared in new)
        data = b"".join([*(prepared.preparation() for prepared in new), request.data])
        session.send(data, request.owed, hidden=HIDDEN * len(new))

    def _begin(self, client: Client) -> None:
        """A statement begins, and with it a transaction if none is open."""
        client.since_us = self._host.now_us
        if not client.in_transaction:
            client.in_transaction = True
            client.transaction_us = self._host.now_us
            self._serial += 1
            client.serial = self._serial
        client.tell_time(self._host.now_us)

    def complete(self, client: Client, answer: Answer) -> None:
        """Gives the answer to the client, then takes up what it sent while it was parked."""
        request = client.request
        if answer.error is not None:
            answer = self._with_error_of_the_client(client, answer)
        # After a Flush the implicit transaction stays open until the Sync.
        client.in_transaction = client.session.status != "I" or request.owed is not None
        client.skips = request.owed is not None and answer.error is not None
        if not client.in_transaction:
            self._database.ended(client.serial)
        self._learn_limits(client)
        self._reply(client, answer)
        self._next(client)

    def _next(self, client: Client) -> None:
        if client.queue:
            self._handle(client, client.queue.popleft())
        elif client.gone:
            self._end(client)
        else:
            self._watch_idle(client)

    def _with_error_of_the_client(self, client: Client, answer: Answer) -> Answer:
        """An error as the client's own SQL and names would have caused it."""
        error, request = answer.error or {}, client.request
        if error["C"] == NOT_SIMULATED:
            raise NotSimulated(error["M"], error.get("H", ""))
        words: dict[str, str] = {}
        if "P" in error and request.statements and request.statements[-1].edits:
            words["P"] = str(request.statements[-1].original_position(int(error["P"])))
        names = {prepared.name: name for name, prepared in client.statements.items()}
        for prepared in request.binds:
            client.session.prepared.discard(prepared.name)
            name = names.get(prepared.name, b"").decode("utf-8", "replace")
            words["M"] = words.get("M", error["M"]).replace(prepared.name.decode(), name)
        return answer.reworded(words) if words else answer

    def _reply(self, client: Client, answer: Answer) -> None:
        if not client.gone:
            for notification in answer.notifications:
                client.wire.push(self._with_virtual_pid(notification))
            client.wire.reply(answer.data)
        if self._notifies and not client.in_transaction:
            self._deliver_notifications()

    def closed_by_server(self, client: Client, last_words: bytes) -> None:
        client.session.broken = True
        if not client.gone:
            client.wire.reply(last_words)
        self._hang_up(client)

    # --- time-outs of idle sessions

    def _learn_limits(self, client: Client) -> None:
        """Asks the session for its time-outs, if it may have changed any; SHOW takes no snapshot."""
        if client.limited and client.session.status != "E" and client.request.owed is None:
            values = control.values_of(client.session.run(timeouts.READ_SQL))
            client.limits = timeouts.read(values)

    def _watch_idle(self, client: Client) -> None:
        limits = client.limits
        if limits == timeouts.NONE:
            return
        if not client.in_transaction:
            self._terminate_after(client, limits.idle_session_timeout, timeouts.IDLE_SESSION)
            return
        self._terminate_after(
            client, limits.idle_in_transaction_session_timeout, timeouts.IDLE_IN_TRANSACTION
        )
        if limits.transaction_timeout:
            left_us = client.transaction_us + limits.transaction_timeout - self._host.now_us
            self._terminate_after(client, max(left_us, 1), timeouts.TRANSACTION)

    def _terminate_after(self, client: Client, delay_us: int, words: dict[str, str]) -> None:
        if not delay_us:
            return

        def fire() -> None:
            self.terminate(client, words)
            self._waiting.settle()

        client.timers.append(self._host.call_later(delay_us, fire))

    def terminate(self, client: Client, words: dict[str, str]) -> None:
        """The server ends a connection with a fatal error, whether it is idle or its query waits."""
        self._host.note("terminates", client=client.name, why=words["M"])
        if client.parked:
            answer = self._waiting.interrupt(client).reworded(words)
            if not client.gone:
                client.wire.reply(answer.data.removesuffix(_READY_AFTER[client.session.status]))
        else:
            client.wire.push(messages.error(words))
        self._hang_up(client)

    # --- notifications

    def _deliver_notifications(self) -> None:
        """Listening sessions that are idle are asked for what reached them, in the order of their connections."""
        for client in self._clients.values():
            if client.live is None or not client.listens or client.parked or client.in_transaction:
                continue
            for notification in client.session.run("").notifications:
                client.wire.push(self._with_virtual_pid(notification))

    def _with_virtual_pid(self, notification: bytes) -> bytes:
        (real,) = _CODE.unpack_from(notification, 5)
        pids = {client.session.real_pid: client.pid for client in self.clients()}
        return notification[:5] + _CODE.pack(pids.get(real, 0)) + notification[9:]


def _with_key(reply: bytes, pid: int, secret: int) -> bytes:
    """The start-up answer with the client's own BackendKeyData."""
    key = messages.message(b"K", _KEY.pack(pid, secret))
    return b"".join(key if letter == _BACKEND_KEY_DATA else reply[at:end] for letter, at, end in split(reply))
