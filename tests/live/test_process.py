"""Child processes of a live world: they start, die, pause and leave nothing behind, and say why when they fail."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.errors import InfrastructureError, TargetError
from harness.live.process import LOG_BYTES, Child, Command, wait_until

Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a Python program as a child; it is killed after the test."""
    with ExitStack() as stack:

        def make(code: str, **options: object) -> Child:
            words = [sys.executable, "-u", "-c", code]
            child = Child(Command("api", words, env=dict(os.environ), log=tmp_path / "api.log", **options))
            stack.callback(child.crash)
            return child

        yield make


def poll(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def state_of(pid: int) -> str:
    """The letter that the kernel gives: R, S, T (stopped), Z; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_a_crash_takes_what_the_child_forked_with_it(start: Start, tmp_path: Path) -> None:
    child = start("import subprocess; p = subprocess.Popen(['sleep', '60']); print(p.pid); p.wait()")
    log = tmp_path / "api.log"
    assert poll(lambda: log.read_text().strip().isdigit())
    grandchild = int(log.read_text())
    child.crash()
    assert child.exit_code == -signal.SIGKILL
    assert poll(lambda: state_of(grandchild) in ("", "Z"))


def test_a_paused_child_stands_still_until_it_resumes(start: Start) -> None:
    child = start("while True: pass")
    child.pause()
    assert poll(lambda: state_of(child.pid) == "T")
    child.resume()
    assert poll(lambda: state_of(child.pid) == "R")


def test_a_restarted_child_is_another_process_with_the_same_log(start: Start, tmp_path: Path) -> None:
    child = start("import os, time; print('started', os.getpid()); time.sleep(60)")
    log = tmp_path / "api.log"
    first = child.pid
    assert poll(lambda: f"started {first}" in log.read_text())
    child.restart()
    assert child.pid != first
    assert poll(lambda: f"started {child.pid}" in log.read_text())
    assert f"started {first}" in log.read_text()


def test_a_child_that_ignores_the_stop_signal_is_killed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.live.process.STOP_S", 0.3)
    child = start(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
    )
    wait_until(child, lambda: "up" in child.last_lines(), 10, "no 'up'")
    child.stop()
    assert child.exit_code == -signal.SIGKILL


def test_a_child_that_ends_at_start_is_reported_with_its_last_lines(start: Start) -> None:
    child = start("raise SystemExit('no database here')")
    with pytest.raises(TargetError) as caught:
        wait_until(child, lambda: False, 10, "no answer")
    assert str(caught.value) == (
        "process 'api' ended at start, exit code 1. Its last lines:\n  no database here"
    )


def test_a_child_that_is_never_ready_is_reported_with_its_last_lines(start: Start) -> None:
    child = start("import time; print('waiting for a lock'); time.sleep(60)")
    assert poll(lambda: "waiting" in child.last_lines())
    with pytest.raises(TargetError) as caught:
        wait_until(child, lambda: False, 0.1, "nobody listens on 127.0.0.1:1")
    assert str(caught.value) == (
        "process 'api' was not ready after 0 s: nobody listens on 127.0.0.1:1. Give it longer, or mend its start-up."
        " Its last lines:\n  waiting for a lock"
    )


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError) as caught:
        Child(Command("api", ["no-such-program"], log=tmp_path / "log"))
    assert str(caught.value) == (
        "process 'api': 'no-such-program' cannot be started (No such file or directory);"
        " check the command and the working folder."
    )


def test_a_flood_of_output_neither_blocks_the_child_nor_fills_the_disk(start: Start, tmp_path: Path) -> None:
    child = start("for _ in range(400_000): print('x' * 99)\nprint('the end')")
    assert poll(lambda: not child.is_running, 30)
    child.stop()
    size = (tmp_path / "api.log").stat().st_size
    assert LOG_BYTES <= size < LOG_BYTES + 8192
    assert (tmp_path / "api.log").read_text().endswith("… cut here: this log keeps 4 MiB\n")
    assert child.last_lines().endswith("the end")


def test_children_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    """Even when that is killed without a chance to clean up."""
    code = (
        "import os, time; from harness.live.process import Child, Command;"
        "child = Child(Command('api', ['sleep', '60'])); print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert state_of(pid) in ("S", "R")
        parent.kill()
        parent.wait()
    assert poll(lambda: state_of(pid) in ("", "Z"))
