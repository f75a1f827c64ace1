"""Joins the core with connections, callbacks and the real clock."""

import asyncio
import heapq
import traceback
from collections.abc import Callable, Iterable

from fake_provider.actions import Action, Attempt, Request, Respond
from fake_provider.answers import of_failure
from fake_provider.provider import Provider
from fake_provider.server import log
from fake_provider.server.clock import Clock
from fake_provider.server.connection import Connection
from fake_provider.server.control import Control
from fake_provider.server.courier import Courier

SWEEP_S = 1.0


class Service:
    """One provider on one port. `make_provider` makes it anew when it is reset."""

    def __init__(
        self,
        make_provider: Callable[[int], Provider],
        write: log.Write = log.to_stderr,
        *,
        max_connections: int = 10_000,
        idle_s: float = 75.0,
        request_s: float = 30.0,
    ) -> None:
        self.clock = Clock()
        self._url = ""
        self._make_provider = make_provider
        self.provider = make_provider(self.clock.now_us())
        self._write = write
        self._max_connections = max_connections
        self._idle_s = idle_s
        self._request_s = request_s
        self._loop = asyncio.get_running_loop()
        self._courier = Courier(self.provider.profile.webhook_timeout_us, self._delivered)
        self._control = Control(self)
        self._connections: set[Connection] = set()
        self._waiting: dict[str, tuple[Connection, Request]] = {}
        self._answers: list[tuple[int, int, Respond]] = []
        self._count = 0
        self._wake: asyncio.TimerHandle | None = None
        self._wakes_us: int | None = None
        self._sweep = self._loop.call_later(SWEEP_S, self._expire)

    def listens_at(self, url: str) -> None:
        """Where customers find the pages that intents and sessions point to."""
        self._url = url
        self.provider.account.base_url = url

    # The transport side.

    def mark(self) -> str:
        """A name for the next request."""
        self._count += 1
        return f"r{self._count}"

    def connection(self) -> Connection:
        """A protocol for one accepted socket."""
        return Connection(self, self._idle_s, self._request_s)

    def seconds(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    def opened(self, connection: Connection) -> bool:
        """Takes a connection in; False when there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self._max_connections

    def closed(self, connection: Connection) -> None:
        """Forgets a connection."""
        self._connections.discard(connection)

    def handle(self, connection: Connection, request: Request) -> None:
        """Works on a request of the API or of the control API. A bug of ours is a 500 and a traceback in the log."""
        if request.path.startswith("/_control"):
            self._control.handle(connection, request)
            return
        self._waiting[request.id] = (connection, request)
        now_us = self.clock.now_us()
        try:
            self.carry_out(self.provider.receive(request, now_us))
        except Exception:
            self._write(
                f"{log.stamp(now_us)}  this is our bug, in {request.method} {request.path}:\n{traceback.format_exc()}"
            )
            self._answer(Respond(now_us, request.id, of_failure(500)))

    # Actions.

    def carry_out(self, actions: Iterable[Action]) -> None:
        """Answers and posts, now or when their time has come; then arranges the next look at the clock."""
        now_us = self.clock.now_us()
        for action in actions:
            if not isinstance(action, Respond):
                self._post(action.attempt)
            elif action.at_us <= now_us:
                self._answer(action)
            else:
                self._count += 1
                heapq.heappush(self._answers, (action.at_us, self._count, action))
        self._arrange()

    def _answer(self, respond: Respond) -> None:
        connection, request = self._waiting.pop(respond.request_id, (None, None))
        if connection is None or request is None:
            return  # asked before a reset
        if self._write is not log.nowhere:
            self._write(log.answered(self.clock.now_us(), request, respond))
        connection.respond(respond)

    def _post(self, attempt: Attempt) -> None:
        provider = self.provider
        self._courier.post(attempt, lambda: provider.sign(attempt, self.clock.now_us()))

    def _delivered(self, attempt: Attempt, status: int | None, word: str) -> None:
        now_us = self.clock.now_us()
        self._write(log.delivered(now_us, attempt, word))
        self.carry_out(self.provider.delivered(attempt.id, status, now_us))

    # Time.

    def due_us(self) -> int | None:
        """When something happens next: an answer is due, or the provider has an appointment."""
        due_us = self.provider.due_us()
        answer_us = self._answers[0][0] if self._answers else None
        return min((at_us for at_us in (due_us, answer_us) if at_us is not None), default=None)

    def run_due(self) -> None:
        """Lets everything happen that is due."""
        now_us = self.clock.now_us()
        self._wakes_us = None
        while self._answers and self._answers[0][0] <= now_us:
            self._answer(heapq.heappop(self._answers)[2])
        self.carry_out(self.provider.advance(now_us))

    async def advance(self, by_us: int) -> None:
        """Moves the clock on, stopping at every appointment until its callbacks have come to their end."""
        target_us = self.clock.now_us() + by_us
        while (due_us := self.due_us()) is not None and due_us <= target_us:
            self.clock.reach(due_us)
            self.run_due()
            await self._courier.idle()
        self.clock.reach(target_us)
        self.run_due()

    def _arrange(self) -> None:
        due_us = self.due_us()
        if due_us == self._wakes_us:
            return
        self._wakes_us = due_us
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if due_us is not None:
            delay_s = min(max(due_us - self.clock.now_us(), 0) / 1_000_000, 3600.0)
            self._wake = self._loop.call_later(delay_s, self.run_due)

    def _expire(self) -> None:
        """Closes connections whose client is too slow."""
        now = self._loop.time()
        for connection in list(self._connections):
            if connection.deadline is not None and connection.deadline < now:
                connection.expire()
        self._sweep = self._loop.call_later(SWEEP_S, self._expire)

    # Life.

    def reset(self) -> None:
        """A new provider in place of the old; what the old one still had to say is lost."""
        self._waiting.clear()
        self._answers.clear()
        self.provider = self._make_provider(self.clock.now_us())
        self.listens_at(self._url)
        self._arrange()

    async def stop(self, grace_s: float = 2.0) -> None:
        """Answers what is in work, up to `grace_s`, then closes everything."""
        for connection in list(self._connections):
            connection.close()
        deadline = self._loop.time() + grace_s
        while self._connections and self._answers and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        self._sweep.cancel()
        if self._wake is not None:
            self._wake.cancel()
        for connection in list(self._connections):
            connection.abort()
        await self._courier.close()
