"""The live runner: it runs a scenario with everything real, fails with one clear line, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from harness import Build, Process, Target
from harness.errors import InfrastructureError, TargetError, UsageError
from harness.fault import fault
from harness.invariant import State, always, invariant
from harness.live.runner import LiveRunner
from harness.live.world import LiveWorld
from harness.plan import Constraint, Plan
from harness.scenario import Scenario
from harness.world import World
from tests.conftest import Require
from tests.house.tree import ROOT

TARGET = Target(
    "counter",
    [Process("api", asgi="tests.live.services:app")],
    builds=[
        Build("good", "it counts"),
        Build("broken", "it cannot be imported", env={"MOOD": "broken"}),
        Build("stuck", "it never gets ready", env={"MOOD": "stuck"}),
    ],
)
FIRST, SECOND = "ana>api POST /count#1", "ben>api POST /count#1"


@invariant(always)
def counts_one_by_one(state: State) -> int:
    """No two customers get the same number."""
    numbers = [outcome.body["counter"] for outcome in state.outcomes if outcome.kind == "ok"]
    assert len(set(numbers)) == len(numbers), f"the same number twice: {numbers}"
    return len(numbers)


async def two_count(world: World) -> None:
    ana, ben = world.clients("ana", "ben")
    await world.together(ana.post("/count"), ben.post("/count"))


def counting() -> Scenario:
    return Scenario(two_count, TARGET, invariants=[counts_one_by_one])


@pytest.fixture(scope="module")
def have_toxiproxy(require: Require) -> None:
    require(shutil.which("toxiproxy-server"), "toxiproxy-server", "`paychaos doctor` says how to get it.")


@pytest.fixture
def open_runner(have_toxiproxy: None) -> Iterator[Callable[[str], LiveRunner]]:
    made = []

    def make(build: str, **options: bool) -> LiveRunner:
        made.append(LiveRunner(TARGET, build, **options))
        return made[-1]

    yield make
    for runner in made:
        runner.close()


def processes_marked(mark: str) -> list[str]:
    """The command lines of running processes whose environment carries a mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK={mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                state = (place / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_an_order_of_two_messages_is_enforced_both_ways(open_runner: Callable[[str], LiveRunner]) -> None:
    runner = open_runner("good")
    for before, after in ((FIRST, SECOND), (SECOND, FIRST)):
        run = runner.run(counting(), Plan(1, constraints=(Constraint(before, after),)))
        assert run.verdict == "pass"
        assert run.enforced == [True]
        names = [str(delivery.name) for delivery in run.deliveries]
        assert names.index(before) < names.index(after)


def test_each_run_of_fresh_processes_begins_with_nothing_in_memory(
    open_runner: Callable[..., LiveRunner],
) -> None:
    runner = open_runner("good", fresh=True)
    for _ in range(2):
        run = runner.run(counting(), Plan(1), detail=True)
        assert run.verdict == "pass"
        assert [event.what for event in run.events if event.kind == "outcome"] == [
            "POST /count",
            "POST /count",
        ]
        assert run.contents[FIRST].startswith("POST /count HTTP/1.1")


def test_a_fault_that_no_live_world_can_do_is_refused_before_the_run(
    open_runner: Callable[..., LiveRunner],
) -> None:
    runner = open_runner("good")
    with pytest.raises(UsageError) as caught:
        runner.run(counting(), Plan(1, faults=(fault("skew", "@1000", node="api"),)))
    assert str(caught.value) == (
        "fault 'skew' is not supported live: a real process's clock cannot be set alone;"
        " replay it in the simulated world."
    )


def test_a_crashed_process_comes_back_and_the_run_goes_on(open_runner: Callable[..., LiveRunner]) -> None:
    async def count_until_it_answers(world: World) -> None:
        ana = world.client("ana")
        while (await ana.post("/count")).kind != "ok":
            await world.sleep_us(50_000)

    scenario = Scenario(count_until_it_answers, TARGET, invariants=[counts_one_by_one])
    plan = Plan(1, faults=(fault("crash", FIRST, node="api", duration_us=100_000),))
    run = open_runner("good").run(scenario, plan, detail=True)
    assert run.verdict == "pass"
    assert run.hits == [True]
    kinds = [event.kind for event in run.events if event.who == "api"]
    assert kinds.index("crashed") < kinds.index("started") < kinds.index("ready")


async def say_hello_in_tls(world: World) -> None:
    """The first bytes of a TLS handshake, which no reader knows."""
    assert isinstance(world, LiveWorld)
    link = world.rig.link("ana", "ana", "api")
    async with await trio.open_tcp_stream("127.0.0.1", link.port) as stream:
        await stream.send_all(bytes.fromhex("16030100050100000100"))
        await stream.receive_some()


def test_a_link_that_cannot_be_read_passes_its_bytes_on(open_runner: Callable[..., LiveRunner]) -> None:
    run = open_runner("good").run(Scenario(say_hello_in_tls, TARGET), Plan(1), detail=True)
    assert (run.events[0].kind, run.events[0].what) == ("unread", "ana>api")
    assert run.error is None


def test_a_message_fault_on_a_link_that_cannot_be_read_is_refused(
    open_runner: Callable[..., LiveRunner],
) -> None:
    with pytest.raises(UsageError) as caught:
        open_runner("good").run(Scenario(say_hello_in_tls, TARGET), Plan(1, faults=(fault("reset", FIRST),)))
    assert str(caught.value).startswith("link ana>api cannot be read (not HTTP/1.1: ")
    assert str(caught.value).endswith(
        "so 'ana>api POST /count#1' is never seen; is it TLS? Give the target a plain URL for it, or use a fault on the"
        " whole link (latency, bandwidth, partition)."
    )


def test_a_target_that_cannot_be_imported_shows_its_last_lines(
    open_runner: Callable[..., LiveRunner],
) -> None:
    runner = open_runner("broken")
    with pytest.raises(
        TargetError, match=r"^process 'api' ended at start, exit code 1\. Its last lines:\n"
    ) as caught:
        runner.run(counting(), Plan(1))
    assert str(caught.value).endswith("RuntimeError: no licence file")


def test_a_target_that_never_gets_ready_shows_its_last_lines(
    open_runner: Callable[..., LiveRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.live.units.READY_S", 6.0)
    runner = open_runner("stuck")
    with pytest.raises(TargetError) as caught:
        runner.run(counting(), Plan(1))
    assert "process 'api' was not ready after 6 s: nobody listens on 127.0.0.1:" in str(caught.value)
    assert str(caught.value).endswith("Its last lines:\n  waiting for the queue to come up")


def test_toxiproxy_dying_in_the_middle_is_one_clear_line(open_runner: Callable[..., LiveRunner]) -> None:
    runner = open_runner("good", fresh=False)
    assert runner.run(counting(), Plan(1)).verdict == "pass"
    children = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "toxiproxy-server -host"],
        capture_output=True,
        text=True,
        check=False,
    )
    mine = [int(pid) for pid in children.stdout.split() if runner.infrastructure.toxiproxy.address.rpartition(":")[2]
            in Path(f"/proc/{pid}/cmdline").read_text()]  # fmt: skip
    os.kill(mine[0], signal.SIGKILL)
    text = r"^Toxiproxy at 127\.0\.0\.1:\d+ does not answer .*paychaos doctor"
    with pytest.raises(InfrastructureError, match=text):
        runner.run(counting(), Plan(1, faults=(fault("reset", FIRST),)))


def test_without_toxiproxy_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("harness.live.infra.program", lambda name: None)
    with pytest.raises(InfrastructureError) as caught:
        LiveRunner(TARGET, "good")
    assert str(caught.value) == (
        "the live world needs toxiproxy-server, which is not on PATH; `paychaos doctor` says how to get it,"
        " or name a running one: PAYCHAOS_TOXIPROXY_URL=http://127.0.0.1:8474"
    )


_PROGRAM = """
import signal, sys
from harness.live.runner import LiveRunner
from harness.live.world import LiveWorld
from harness.plan import Plan
from harness.scenario import Scenario
from tests.live.test_runner import TARGET

def stop(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, stop)

async def wait(world):
    print("running", flush=True)
    await world.sleep_us(60_000_000)

runner = LiveRunner(TARGET, "good")
try:
    runner.run(Scenario(wait, TARGET), Plan(1))
except KeyboardInterrupt:
    print("stopped", flush=True)
finally:
    runner.close()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_in_the_middle_of_a_run_leaves_nothing_running(
    have_toxiproxy: None, number: signal.Signals, tmp_path: Path
) -> None:
    mark = f"{os.getpid()}-{number.name}"
    child = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        cwd=ROOT, env={**os.environ, "MARK": mark}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == "running\n"
        assert len(processes_marked(mark)) >= 2
        child.send_signal(number)
        if number != signal.SIGKILL:
            assert child.stdout.readline() == "stopped\n"
        child.wait(20)
    deadline = time.monotonic() + 5
    while processes_marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_marked(mark) == []
