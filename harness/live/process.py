"""One operating-system process of a live world: started with its log kept, crashed, paused, restarted and stopped.

Each child leads a process group, so that what it forks goes with it, and on Linux the kernel kills it when we die.
Its output is read all the time, so it never blocks on a full pipe; the log file keeps its head, memory its tail.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from harness.errors import InfrastructureError, TargetError

LOG_BYTES = 4 << 20
"""What a log file keeps at most; a target that prints more is cut there, with a line that says so."""
TAIL_LINES = 40
LINES_SHOWN = 12
STOP_S = 5.0
POLL_S = 0.02

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Command:
    """What to start. `user` is whom to become when we are root (PostgreSQL refuses to run as root).

    image: run the words in a container of this image instead, sharing the host's network (see containers.py).
    """

    name: str
    words: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    log: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    image: str | None = None


class Child:
    """A started command. `restart` undoes `crash`, `resume` undoes `pause`."""

    look_s = POLL_S
    """How often it is worth asking whether it still runs, in seconds."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.is_paused = False
        self._process: subprocess.Popen[bytes]
        self._log: Log
        self.start()

    # Starting and stopping

    def start(self) -> None:
        """Raises InfrastructureError when the program is not there."""
        command = self.command
        try:
            self._process = subprocess.Popen(
                list(command.words),
                env=dict(command.env),
                cwd=command.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=_die_with_parent,
                user=command.user,
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise InfrastructureError(
                f"process {command.name!r}: {command.words[0]!r} cannot be started ({error.strerror});"
                " check the command and the working folder."
            ) from error
        assert self._process.stdout is not None
        self._log = Log(command.log)
        self._log.follow(self._process.stdout)
        _alive[self.pid] = self

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -9 when SIGKILL ended it."""
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        return self.exit_code is None

    def stop(self) -> None:
        """In order, then by force: the stop signal, and SIGKILL to what is left after `STOP_S`."""
        if self.is_running:
            self.resume()
            self._signal(self.command.stop_signal)
            deadline = time.monotonic() + STOP_S
            while self.exit_code is None and time.monotonic() < deadline:
                time.sleep(POLL_S)
        self.crash()

    def crash(self) -> None:
        """Power cut: SIGKILL to the whole group. The opposite of `restart`."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self.is_paused = False
        self._log.close()
        _alive.pop(self.pid, None)

    def restart(self) -> None:
        """Starts it again, with nothing in memory; the log goes on."""
        if self.is_running:
            self.crash()
        self.start()

    def pause(self) -> None:
        """Stops it where it stands; its connections stay open. The opposite of `resume`."""
        self._signal(signal.SIGSTOP)
        self.is_paused = True

    def resume(self) -> None:
        if self.is_paused:
            self._signal(signal.SIGCONT)
            self.is_paused = False

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    # Readiness

    def check_alive(self) -> None:
        """Raises TargetError, with the last log lines, when it has ended."""
        if self.exit_code is not None:
            self._log.drain()
            raise TargetError(
                f"process {self.command.name!r} ended at start, {_ending(self.exit_code)}.{self.last_lines()}"
            )

    def not_ready(self, seconds: float, looked_for: str) -> TargetError:
        return TargetError(
            f"process {self.command.name!r} was not ready after {seconds:.0f} s: {looked_for}."
            f" Give it longer, or mend its start-up.{self.last_lines()}"
        )

    def last_lines(self) -> str:
        """What it said last, ready to be put behind an error."""
        lines = list(self._log.tail)[-LINES_SHOWN:]
        if not lines:
            return " It printed nothing."
        return " Its last lines:\n" + "\n".join(f"  {line}" for line in lines)


class Log:
    """Follows one output: its first `LOG_BYTES` go to the file, its last lines stay in memory."""

    def __init__(self, path: Path | None) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._file: IO[bytes] | None = path.open("ab") if path is not None else None
        self._room = LOG_BYTES - (path.stat().st_size if path is not None else 0)
        self._thread: threading.Thread | None = None

    def follow(self, output: IO[bytes]) -> None:
        self._thread = threading.Thread(target=self._read, args=(output,), name="log", daemon=True)
        self._thread.start()

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for line in iter(lambda: output.readline(4096), b""):
                self.tail.append(line.decode("utf-8", "replace").rstrip())
                self._write(line)

    def _write(self, line: bytes) -> None:
        if self._file is None or self._room <= 0:
            return
        self._room -= len(line)
        self._file.write(line)
        if self._room <= 0:
            self._file.write(f"… cut here: this log keeps {LOG_BYTES >> 20} MiB\n".encode())
        self._file.flush()

    def drain(self, seconds: float = 1.0) -> None:
        """Waits until what was printed before the end has been read."""
        if self._thread is not None:
            self._thread.join(seconds)

    def close(self) -> None:
        self.drain()
        if self._file is not None:
            self._file.close()
            self._file = None


class Startable(Protocol):
    """What can be waited for: a Child, or a container."""

    def check_alive(self) -> None: ...

    def not_ready(self, seconds: float, looked_for: str) -> TargetError: ...


def wait_until(child: Startable, is_ready: Callable[[], bool], seconds: float, looked_for: str) -> None:
    """Polls until `is_ready`. Raises TargetError when the child ends or the time is up. For use outside of trio."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        child.check_alive()
        if time.monotonic() > deadline:
            raise child.not_ready(seconds, looked_for)
        time.sleep(POLL_S)


_alive: dict[int, Child] = {}


def stop_all() -> None:
    """Ends whatever is still running, the last started first. Runs at exit by itself."""
    for child in reversed(list(_alive.values())):
        child.crash()


atexit.register(stop_all)


def _die_with_parent() -> None:
    """In the child, before it becomes the command: the kernel is to kill it when we are gone."""
    if hasattr(_libc, "prctl"):
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
