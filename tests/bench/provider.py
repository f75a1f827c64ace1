"""How fast the provider is: standalone next to localstripe, and its own code in the simulation.

`python -m tests.bench.provider`. Both servers run on loopback, each alone while it is measured, in turns; localstripe
comes from the Python index into an environment of its own, `.venv-localstripe`, which is kept for the next time.
The client is the same for both: a few keep-alive connections that send ready-made bytes. localstripe writes its
whole store to disk with every change, so its creates get slower as they add up and ours do not; the number of
creates is small on purpose. Every figure is the median of five rounds.
"""

import gc
import os
import signal
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path
from random import Random
from statistics import median

from fake_provider import Provider, Request

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-localstripe"
LOCALSTRIPE = "localstripe==1.15.10"
ROUNDS = 5
CREATES = 160
RETRIEVES = 2_000
CONNECTIONS = 8
FORM = b"amount=4200&currency=eur&payment_method=%s&confirm=true"
HEAD = b"Host: localhost\r\nAuthorization: Bearer sk_test_12345\r\n"
FORM_HEAD = b"Content-Type: application/x-www-form-urlencoded\r\n"


def request_bytes(method: bytes, path: bytes, body: bytes = b"") -> bytes:
    """One whole HTTP/1.1 request."""
    more = FORM_HEAD + b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"%s %s HTTP/1.1\r\n%s%s\r\n%s" % (method, path, HEAD, more, body)


class Wire:
    """A client that costs next to nothing: blocking sockets, ready-made bytes, a request on each before the first
    answer is read."""

    def __init__(self, port: int, connections: int) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(connections)]

    def exchange(self, data: bytes) -> bytes:
        """One request; the body of its answer."""
        self._sockets[0].sendall(data)
        return self._read(self._sockets[0])

    def per_second(self, data: bytes, count: int) -> float:
        """Requests per second of `count` requests, in waves over all connections."""
        started = time.perf_counter()
        for _ in range(count // len(self._sockets)):
            for connection in self._sockets:
                connection.sendall(data)
            for connection in self._sockets:
                self._read(connection)
        return count / (time.perf_counter() - started)

    def _read(self, connection: socket.socket) -> bytes:
        data = connection.recv(65_536)
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        while len(body) < length:
            body += connection.recv(65_536)
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"bench: unexpected answer {head[:60]!r} {body[:300]!r}")
        return body

    def close(self) -> None:
        """Closes all connections."""
        for connection in self._sockets:
            connection.close()


def measure(port: int) -> tuple[float, float]:
    """(create and confirm, retrieve) per second of a fresh server."""
    wire = Wire(port, CONNECTIONS)
    card = (
        b"type=card&card%5Bnumber%5D=4242424242424242&card%5Bcvc%5D=123"
        b"&card%5Bexp_month%5D=12&card%5Bexp_year%5D=2040"
    )
    method = _id_in(wire.exchange(request_bytes(b"POST", b"/v1/payment_methods", card)), b"pm_")
    create = request_bytes(b"POST", b"/v1/payment_intents", FORM % method)
    intent = _id_in(wire.exchange(create), b"pi_")
    retrieved = wire.per_second(request_bytes(b"GET", b"/v1/payment_intents/" + intent), RETRIEVES)
    created = wire.per_second(create, CREATES)
    wire.close()
    return created, retrieved


def _id_in(body: bytes, prefix: bytes) -> bytes:
    start = body.index(b'"' + prefix) + 1
    return body[start : body.index(b'"', start)]


def round_of(command: list[str], port: int) -> tuple[float, float]:
    """Starts a server, waits until it listens, measures, stops it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT) as server:
        try:
            _await_port(server, port)
            return measure(port)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(10)


def _await_port(server: subprocess.Popen[bytes], port: int) -> None:
    def connects() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    deadline = time.monotonic() + 20
    while not connects():
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"bench: the server on port {port} did not start")
        time.sleep(0.05)


def localstripe() -> Path:
    """localstripe's command, installed on first use."""
    command = VENV / "bin" / "localstripe"
    if not command.exists():
        print(f"installing {LOCALSTRIPE} into {VENV.name} (once)", flush=True)
        venv.create(VENV, with_pip=True)
        subprocess.run([VENV / "bin" / "pip", "-q", "install", LOCALSTRIPE], check=True)
    return command


def own_cost() -> tuple[float, float]:
    """Microseconds of our own code for (create and confirm with three callbacks, retrieve), as the simulation runs
    it."""
    provider = Provider(now_us=1_800_000_000_000_000, random=Random(1), webhooks=["http://api/webhooks"])
    headers = {"authorization": "Bearer sk_test_1", "content-type": "application/x-www-form-urlencoded"}
    body = FORM % b"pm_card_visa" + b"&metadata%5Border_id%5D=o-1"
    count = 1_000
    gc.collect()
    gc.disable()
    started = time.process_time()
    now_us = 1_800_000_000_000_000
    for number in range(count):
        now_us += 100_000
        provider.receive(
            Request("POST", "/v1/payment_intents", {**headers, "idempotency-key": f"k-{number}"}, body),
            now_us,
        )
    created = time.process_time() - started
    started = time.process_time()
    for number in range(count):
        provider.receive(Request("GET", f"/v1/payment_intents/pi_{number + 1}", headers), now_us)
    retrieved = time.process_time() - started
    gc.enable()
    return created / count * 1e6, retrieved / count * 1e6


def main() -> None:
    """Measures and prints."""
    command = str(localstripe())
    ours = [sys.executable, "-m", "fake_provider", "serve", "--quiet", "--port"]
    rounds: dict[str, list[tuple[float, float]]] = {"localstripe": [], "fake_provider": []}
    costs = []
    for number in range(ROUNDS):
        port = 20_000 + os.getpid() % 5_000 + 2 * number
        rounds["localstripe"].append(round_of([command, "--from-scratch", "--port", str(port)], port))
        rounds["fake_provider"].append(round_of([*ours, str(port + 1)], port + 1))
        costs.append(own_cost())
    print(
        f"standalone on loopback, requests per second, median of {ROUNDS} rounds "
        f"({CREATES} creates, {RETRIEVES} retrieves, {CONNECTIONS} connections)"
    )
    print(f"{'':<18}{'localstripe':>14}{'fake_provider':>16}{'ratio':>8}")
    for position, what in enumerate(("create + confirm", "retrieve")):
        theirs, own = (
            median(row[position] for row in rounds[name]) for name in ("localstripe", "fake_provider")
        )
        print(f"{what:<18}{theirs:>14.0f}{own:>16.0f}{own / theirs:>8.1f}")
    print("in the simulation, our own code per provider call, CPU, median")
    print(f"{'create + confirm':<18}{median(cost[0] for cost in costs):>11.0f} us   (with 3 callbacks)")
    print(f"{'retrieve':<18}{median(cost[1] for cost in costs):>11.0f} us")


if __name__ == "__main__":
    main()
