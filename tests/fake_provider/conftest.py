"""The provider on a real port of loopback, in a thread of the test's process, and a shop that takes its callbacks."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from random import Random
from typing import Any

import httpx
import pytest

from fake_provider import Profile, Provider
from fake_provider.server import log
from fake_provider.server.service import Service

SECRET = "whsec_standalone"


@dataclass
class Standalone:
    """A served provider: its address, and what the control API does, as calls."""

    url: str
    service: Service
    http: httpx.Client

    def control(self, method: str, path: str, **params: Any) -> dict[str, Any]:
        """A call of the control API."""
        answer = self.http.request(method, f"{self.url}/_control/{path}", json=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def behave(self, name: str, operation: str = "*", attempt: int = 1, **parameters: Any) -> None:
        """Adds a misbehaviour."""
        self.control(
            "POST", "behaviours", name=name, operation=operation, attempt=attempt, parameters=parameters
        )

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Rows of the ledger."""
        return [row for row in self.control("GET", "ledger")["ledger"] if row["kind"] == kind]


class Shop:
    """Takes callbacks on a port of its own: `received` gets (headers, body), `statuses` say how the next ones
    are answered."""

    def __init__(self) -> None:
        self.received: Queue[tuple[dict[str, str], bytes]] = Queue()
        self.statuses: Queue[int] = Queue()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.received.put((dict(self.headers), body))
                self.send_response(200 if shop.statuses.empty() else shop.statuses.get())
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def server() -> Iterator[Standalone]:
    """A provider that keeps running for a module; `standalone` makes it new for each test."""
    started: Queue[Any] = Queue()

    async def run() -> None:
        def provider(now_us: int) -> Provider:
            return Provider(Profile.stripe_v1(), now_us=now_us, random=Random(7))

        loop = asyncio.get_running_loop()
        service = Service(provider, log.nowhere)
        listening = await loop.create_server(service.connection, "127.0.0.1", 0, backlog=4096)
        port = listening.sockets[0].getsockname()[1]
        service.listens_at(f"http://127.0.0.1:{port}")
        stop = asyncio.Event()
        started.put((f"http://127.0.0.1:{port}", service, lambda: loop.call_soon_threadsafe(stop.set)))
        await stop.wait()
        listening.close()
        await service.stop()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    url, service, stop = started.get(timeout=10)
    with httpx.Client(trust_env=False, timeout=20) as http:
        yield Standalone(url, service, http)
    stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def standalone(server: Standalone) -> Standalone:
    """A provider without a past."""
    server.control("POST", "reset")
    return server


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop that takes callbacks."""
    shop = Shop()
    yield shop
    shop.close()
