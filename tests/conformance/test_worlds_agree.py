"""What the client of a link sees of a fault is the same in the simulation and live: the value or error, whether the
request was applied, and when. One body (worlds.py), two arms; each row is a test."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from harness.live.runner import LiveRunner
from tests.conformance.worlds import TARGET, Case, Observation, cases, observe
from tests.conftest import Require
from tests.house.tree import ROOT

SLACK_MS = 500
"""How far apart the two may be: real processes on a busy machine need their time."""


@pytest.fixture(scope="module")
def simulated() -> dict[str, Observation]:
    """What the simulation shows, by case. In a process of its own, since it forks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.worlds", "sim"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: Observation(**seen) for name, seen in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def runner(require: Require) -> Iterator[LiveRunner]:
    require(shutil.which("toxiproxy-server"), "toxiproxy-server", "`paychaos doctor` says how to get it.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.live.world.QUIET_S", 0.1)
        made = LiveRunner(TARGET, "default", fresh=False)
        yield made
        made.close()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_caller_sees_the_same_in_both_worlds(
    runner: LiveRunner, simulated: dict[str, Observation], case: Case
) -> None:
    expected, seen = simulated[case.name], observe(runner, case)
    assert expected.hit, "the simulation never struck"
    assert seen.hit, "the live world never struck"
    assert (seen.result, seen.applied) == (expected.result, expected.applied)
    assert abs(seen.took_ms - expected.took_ms) <= SLACK_MS
