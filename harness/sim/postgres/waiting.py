"""Parked queries: who waits for a lock or sleeps, who may go on, and who gives up.

Everything here is decided by the order of calls and by virtual time. A parked query's process is stopped, so a lock
that is granted to it changes nothing until its turn comes; the turns follow the order in which they were parked.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from harness.sim.postgres import deadlock, timeouts
from harness.sim.postgres.answer import Answer
from harness.sim.postgres.client import Client
from harness.sim.postgres.database import Database
from harness.sim.postgres.errors import PostgresUnavailable
from harness.sim.postgres.session import SessionClosed
from harness.sim.service import Host

_DEADLOCK_TIMEOUT_US = 1_000_000
_POLLS_MS = (0.3, *[1] * 100, *[10] * 100, *[100] * 600)  # a minute in all

_BY_USER: dict[str, str] = {}


class Node(Protocol):
    """What the node does for its waiting room."""

    def complete(self, client: Client, answer: Answer) -> None: ...

    def terminate(self, client: Client, words: dict[str, str]) -> None: ...

    def closed_by_server(self, client: Client, last_words: bytes) -> None: ...

    def clients(self) -> Iterable[Client]: ...


class WaitingRoom:
    """The parked queries of one node, in the order in which they were parked."""

    def __init__(self, host: Host, database: Database, node: Node) -> None:
        self._host = host
        self._database = database
        self._node = node
        self.parked: list[Client] = []

    def answer_of(self, client: Client) -> Answer | None:
        """The answer, or None when the query waits for a lock. Neither depends on how fast the machine is."""
        session = client.session
        for milliseconds in _POLLS_MS:
            answer = session.poll(milliseconds)
            if answer is not None:
                return answer
            if not session.is_running() and self._database.control.waiting([session.real_pid]):
                return session.poll(0)  # what it said before it began to wait: that it sleeps, say
        raise PostgresUnavailable(
            f"a query of {client.name} ran for a minute. The simulated PostgreSQL answers in no time: make it smaller."
        )

    def park(self, client: Client) -> None:
        """Stops the query's process where it waits, and arms what may end the waiting."""
        session = client.session
        session.stop()
        client.parked = True
        if client not in self.parked:
            self.parked.append(client)
            self._host.note(
                "sleeps" if session.sleep_us is not None else "waits_for_lock", client=client.name
            )
        if session.sleep_us is not None:
            client.sleeping = True
            self._after(client, session.sleep_us, self._wake)
        else:
            self._after(client, _DEADLOCK_TIMEOUT_US, self._look_for_deadlock)
            if client.limits.lock_timeout:
                self._after(client, client.limits.lock_timeout, lambda c: self._give_up(c, timeouts.LOCK))
        if client.limits.statement_timeout:
            left_us = client.since_us + client.limits.statement_timeout - self._host.now_us
            self._after(client, max(left_us, 0), lambda c: self._give_up(c, timeouts.STATEMENT))
        if client.limits.transaction_timeout:
            left_us = client.transaction_us + client.limits.transaction_timeout - self._host.now_us
            self._after(client, max(left_us, 0), lambda c: self._node.terminate(c, timeouts.TRANSACTION))

    def _after(self, client: Client, delay_us: int, call: Callable[[Client], None]) -> None:
        def fire() -> None:
            if client.parked:
                call(client)
                self.settle()

        client.timers.append(self._host.call_later(delay_us, fire))

    def settle(self) -> None:
        """Lets those go on that got their lock, one at a time, until nobody is left who did."""
        while True:
            waiting = [client for client in self.parked if not client.sleeping]
            if not waiting:
                return
            still = self._database.control.waiting([client.session.real_pid for client in waiting])
            freed = next((client for client in waiting if client.session.real_pid not in still), None)
            if freed is None:
                return
            self._go_on(freed)

    def _go_on(self, client: Client) -> None:
        """Runs a freed query until it is answered or waits again; in that case it keeps its place."""
        client.tell_time(self._host.now_us)
        client.cancel_timers()
        client.parked = client.sleeping = False
        client.session.woke()
        client.session.go_on()
        try:
            answer = self.answer_of(client)
        except SessionClosed as closed:
            self.parked.remove(client)
            self._node.closed_by_server(client, closed.reply)
            return
        if answer is None:
            self.park(client)
            return
        self.parked.remove(client)
        self._node.complete(client, answer)

    def _wake(self, client: Client) -> None:
        pid = client.session.real_pid
        self._database.control.wake(pid)
        self._go_on(client)
        self._database.control.hold_sleep(pid)

    def _look_for_deadlock(self, client: Client) -> None:
        """What PostgreSQL does after `deadlock_timeout`: the query that finds itself in a cycle gives up."""
        waits = self._database.control.waits([parked.session.real_pid for parked in self.parked])
        cycle = deadlock.cycle(client.session.real_pid, waits)
        if cycle:
            self._host.note("deadlock", victim=client.name)
            clients = {known.session.real_pid: known for known in self._node.clients()}
            self._give_up(client, deadlock.report([waits[pid] for pid in cycle], clients))

    def _give_up(self, client: Client, words: dict[str, str]) -> None:
        """Cancels a parked query; its error says `words` instead of what PostgreSQL says to a cancelled one."""
        self._host.note(
            "gives_up", client=client.name, why=words.get("M", "canceling statement due to user request")
        )
        self._node.complete(client, self.interrupt(client).reworded(words))

    def interrupt(self, client: Client) -> Answer:
        """Cancels a parked query and takes it out of the waiting room; its answer is an error."""
        session = client.session
        self.parked.remove(client)
        client.cancel_timers()
        client.parked = client.sleeping = False
        session.cancel()
        session.go_on()
        return session.wait()

    def cancel_request(self, pid: int, secret: int) -> None:
        """A driver's cancel: it concerns whoever waits under this pid; nobody else is ever busy."""
        for client in self.parked:
            if (client.pid, client.secret) == (pid, secret):
                self._give_up(client, _BY_USER)
                return
