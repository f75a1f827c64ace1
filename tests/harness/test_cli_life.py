"""The life of a real campaign: interrupted, killed, and what is left. Runs are real, on a service without stores."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from results.store import ResultStore

PAYCHAOS = Path(sys.executable).parent / "paychaos"
SECONDS = 60
MARK = "PAYCHAOS_TEST_MARK"

SUITE = """
from harness import Process, Target, always, scenario

counter = Target("counter", [Process("api", asgi="harness.campaign.canary_service:app")])

@scenario(counter, faults=["lost_request"])
async def order_once(world):
    await world.client("ana").post("/orders")

@order_once.invariant(always)
def answered(state):
    return len(state.outcomes)
"""

pytestmark = [
    pytest.mark.timeout(150),
    pytest.mark.skipif(
        not Path("/proc/self/environ").exists(), reason="counts processes in /proc; run it on Linux"
    ),
]


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A campaign that has recorded some runs and has long to go."""
    (tmp_path / "orders_chaos.py").write_text(SUITE)
    process = subprocess.Popen(
        [str(PAYCHAOS), "run", "orders_chaos.py", "--seconds", "600", "--out", "base", "--workers", "1"],
        cwd=tmp_path,
        env={**os.environ, MARK: str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    await_that(process, lambda: recorded(tmp_path) > 3)
    yield process
    process.kill()
    await_that(process, lambda: not marked(tmp_path))
    assert process.stdout is not None
    process.stdout.close()


def recorded(folder: Path) -> int:
    rows = folder / "base" / "rows.jsonl"
    return len(rows.read_text().splitlines()) if rows.exists() else 0


def marked(folder: Path) -> list[int]:
    """The processes that this test started, and theirs."""
    wanted = f"{MARK}={folder}\0".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in environ.read_bytes() + b"\0":
                found.append(int(environ.parent.name))
    return found


def await_that(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Polls for a bounded time."""
    for _ in range(SECONDS * 10):
        if condition():
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    pytest.fail("it did not come to pass in time")


def test_ctrl_c_stops_the_workers_and_keeps_the_results(
    campaign: subprocess.Popen[str], tmp_path: Path
) -> None:
    campaign.send_signal(signal.SIGINT)
    output, _ = campaign.communicate(timeout=SECONDS)
    assert campaign.returncode == 130, output
    assert "Interrupted after" in output
    assert "Traceback" not in output
    assert marked(tmp_path) == []
    store = ResultStore.open(tmp_path / "latest")
    assert store.state == "interrupted"
    assert len(store.runs) > 3
    assert (tmp_path / "base" / "runs.parquet").exists()


def test_a_campaign_that_is_killed_leaves_no_process_and_readable_results(
    campaign: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert len(marked(tmp_path)) > 1
    campaign.kill()
    await_that(campaign, lambda: not marked(tmp_path))
    store = ResultStore.open(tmp_path / "base")
    assert store.state == "running"
    assert len(store.runs) > 3
