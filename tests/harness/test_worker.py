"""A worker process by itself: its pipe, its end, and what it says of errors."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Process, Target
from harness.campaign.job import ReplayJob, SearchJob, Subject, job_from_json, job_to_json
from harness.campaign.pool import Emitted, Failed, Pool, error_from_json, reply_from_json
from harness.campaign.replaying import replay
from harness.campaign.worker import Channel
from harness.campaign.worker import replay as replay_in_worker
from harness.errors import HarnessError, NotSimulated, TargetError, UsageError
from harness.history import Event
from harness.plan import Plan
from harness.run import Run
from harness.scenario import Scenario

HERE = Path(__file__).parent
SHOP = str(HERE / "fake_shop.py")
FAKE_WORKER = (sys.executable, "-P", str(HERE / "fake_worker.py"))
SECONDS = 20


class Peer:
    """The campaign's end of a worker's pipe."""

    def __init__(self, marks: Path) -> None:
        self.marks = marks
        self.process = subprocess.Popen(
            FAKE_WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "FAKE_MARKS": str(marks)},
        )

    def search(self, scenario: str) -> None:
        job = SearchJob(Subject("shop", "old", scenario, SHOP), 7, 100, None)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job_to_json(job)) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        return reply

    def close(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def is_closed(self) -> bool:
        return (self.marks / f"closed-{self.process.pid}").exists()


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    peer = Peer(tmp_path)
    yield peer
    peer.close()


def test_standard_output_holds_replies_and_nothing_that_the_target_prints(peer: Peer) -> None:
    peer.search("holds")
    replies = [peer.read() for _ in range(5)]
    assert [reply["reply"] for reply in replies] == ["emitted"] * 4 + ["finished"]
    peer.process.terminate()
    assert peer.process.stderr is not None
    assert peer.process.stderr.read() == "the target prints this\n"


def test_a_worker_ends_with_its_input_and_closes_its_runner(peer: Peer) -> None:
    peer.search("holds")
    peer.read()
    assert peer.process.stdin is not None
    peer.process.stdin.close()
    assert peer.process.wait(SECONDS) == 0
    assert peer.is_closed()


def test_a_worker_that_nobody_reads_any_more_ends_in_the_middle_of_its_job(peer: Peer) -> None:
    peer.search("stays")
    peer.read()
    assert peer.process.stdout is not None
    peer.process.stdout.close()
    assert peer.process.wait(SECONDS) == 0
    assert peer.is_closed()


def test_a_worker_told_to_stop_closes_its_runner(peer: Peer) -> None:
    peer.search("stays")
    peer.read()
    peer.process.send_signal(signal.SIGTERM)
    assert peer.process.wait(SECONDS) == 0
    assert peer.is_closed()


def test_jobs_survive_the_pipe() -> None:
    subject = Subject("shop", "old", "fails", SHOP, ("a", "b"))
    for job in (SearchJob(subject, 7, None, 1.5, canary=True), ReplayJob(subject, {"seed": 1}, 3, 2)):
        assert job_from_json(json.loads(json.dumps(job_to_json(job)))) == job


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (UsageError("x.py:1: no."), UsageError, "x.py:1: no."),
        (TargetError("it blocks."), TargetError, "it blocks."),
        (NotSimulated("a fax", "Use --world live."), NotSimulated, "not simulated: a fax. Use --world live."),
        (HarnessError("broken"), HarnessError, "broken"),
        (ZeroDivisionError("division"), HarnessError, "ZeroDivisionError: division"),
    ],
)
def test_an_error_arrives_as_what_it_was(error: Exception, kind: type[Exception], text: str) -> None:
    read, write = os.pipe()
    Channel(write).failed(error, hopeless=True)
    reply = reply_from_json(json.loads(os.read(read, 100_000)))
    os.close(read)
    os.close(write)
    assert isinstance(reply, Failed)
    assert type(reply.error) is kind
    assert str(reply.error) == text
    assert reply.hopeless
    notes = getattr(reply.error, "__notes__", [])
    assert bool(notes) == (kind is HarnessError)


def test_an_error_of_an_unknown_kind_is_still_told() -> None:
    error = error_from_json({"error": "PostgresUnavailable", "text": "no disk.", "trace": ""})
    assert (str(error), error.exit_code) == ("no disk.", 3)


def test_a_replay_tells_the_first_run_and_compares_the_others() -> None:
    plan = {"seed": 5, "faults": [{"fault": "lost_reply", "at": "ana>api POST /pay#1.reply"}]}
    done = replay(ReplayJob(Subject("shop", "old", "fails", SHOP), plan, times=3), FAKE_WORKER)
    assert [run.verdict for run in done.runs] == ["fail"] * 3
    assert done.is_steady
    assert done.shown("paid_once", "o-1") == 3
    assert done.hits == (True,)
    assert done.telling.timeline[0].what == "POST /pay"


def test_a_replay_that_differs_names_the_first_event_that_does() -> None:
    done = replay(ReplayJob(Subject("shop", "old", "flickers", SHOP), {"seed": 5}, times=2), FAKE_WORKER)
    assert not done.is_steady
    assert done.difference == ("1", "0.002 s noted api noise 0", "0.002 s noted api noise 1")


def test_a_replay_raises_what_the_worker_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_START", "fails")
    with pytest.raises(TargetError, match=r"^the target cannot be imported"):
        replay(ReplayJob(Subject("shop", "old", "fails", SHOP), {"seed": 5}), FAKE_WORKER)


def test_a_difference_that_is_an_end_is_said_so() -> None:
    class Shorter:
        """Its second run ends an event earlier."""

        runs = 0

        def run(self, scenario: Scenario, plan: Plan, *, detail: bool = False) -> Run:
            self.runs += 1
            run = Run(scenario.name, "old", plan, "pass", digest=str(self.runs))
            run.events = [Event(1_000, "noted", "api", "hello")] * (3 - self.runs)
            return run

        def close(self) -> None: ...

    documents: list[dict[str, Any]] = []
    target = Target("x", [Process("api", asgi="x:app")])
    scenario = Scenario(lambda world: None, target, name="x")  # type: ignore[arg-type, return-value]
    replay_in_worker(
        Shorter(), scenario, ReplayJob(Subject("", "", "x"), {"seed": 1}, times=2), documents.append
    )
    assert documents[1]["difference"] == ["1", "0.001 s noted api hello", "the end of the run"]


def test_a_worker_that_says_nothing_for_too_long_is_ended(tmp_path: Path) -> None:
    jobs = [SearchJob(Subject("shop", "old", name, SHOP), 7, 100, None) for name in ("holds", "hangs")]
    with Pool(1, tmp_path, FAKE_WORKER, silence_seconds=3) as pool:
        replies = [item for item in pool.run(lambda: jobs.pop() if jobs else None) if item]
    ends = [(job.subject.scenario, reply) for job, reply in replies if not isinstance(reply, Emitted)]
    assert [name for name, _ in ends] == ["hangs", "holds"]
    assert isinstance(ends[0][1], Failed)
    assert str(ends[0][1].error) == (
        "a worker process said nothing for 3 s and was ended."
        " Run it again with --workers 1 and nothing else on this machine."
    )


def test_a_pool_is_used_again_for_the_next_job(tmp_path: Path) -> None:
    with Pool(1, tmp_path, FAKE_WORKER) as pool:
        for scenario in ("holds", "fails"):
            jobs = [SearchJob(Subject("shop", "old", scenario, SHOP), 7, 100, None)]
            replies = [item for item in pool.run(lambda jobs=jobs: jobs.pop() if jobs else None) if item]
            assert len(replies) >= 5
    assert [path.name for path in tmp_path.iterdir()] == ["worker-1.log"]
