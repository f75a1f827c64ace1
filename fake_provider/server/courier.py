"""Posts callbacks over real HTTP and reports how they ended. Redirects are not followed: a 3xx is a failure."""

import asyncio
from collections.abc import Callable, Mapping

import httpx

from fake_provider.actions import Attempt

MAX_AT_ONCE = 64
Done = Callable[[Attempt, int | None, str], None]


class Courier:
    """Runs deliveries side by side, at most 64 at once. `done` gets the attempt, its status (None: no answer)
    and a word for the log."""

    def __init__(self, timeout_us: int, done: Done) -> None:
        limits = httpx.Limits(max_connections=MAX_AT_ONCE, max_keepalive_connections=MAX_AT_ONCE)
        self._client = httpx.AsyncClient(timeout=timeout_us / 1_000_000, limits=limits, trust_env=False)
        self._timeout_s = timeout_us / 1_000_000
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._done = done
        self._running: set[asyncio.Task[None]] = set()

    def post(self, attempt: Attempt, sign: Callable[[], Mapping[str, str]]) -> None:
        """Starts a delivery; `sign` makes its headers at the moment it leaves."""
        task = asyncio.get_running_loop().create_task(self._post(attempt, sign))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _post(self, attempt: Attempt, sign: Callable[[], Mapping[str, str]]) -> None:
        status, word = None, ""
        async with self._slots:
            try:
                async with asyncio.timeout(self._timeout_s):
                    request = self._client.build_request(
                        "POST", attempt.url, headers=sign(), content=attempt.body
                    )
                    response = await self._client.send(request, stream=True)
                    status, word = response.status_code, str(response.status_code)
                    await response.aclose()
            except (TimeoutError, httpx.TimeoutException):
                status, word = None, "timed out"
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
                status, word = None, f"failed: {type(problem).__name__}"
        self._done(attempt, status, word)

    async def idle(self) -> None:
        """Returns when no delivery is on its way."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Gives up what is on its way."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._client.aclose()
