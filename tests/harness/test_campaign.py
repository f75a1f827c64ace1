"""Campaigns over fake workers: real processes and pipes, runs that take no time."""

import json
import os
import sys
from pathlib import Path

import pytest

from harness.campaign.campaign import Assignment, Campaign
from harness.campaign.findings import Findings
from harness.campaign.job import Subject
from harness.campaign.recorder import Recorder
from harness.catalogue import file_catalogue
from harness.errors import InfrastructureError, TargetError, UsageError
from harness.events import FailureShrunk
from results.conclusion import conclude
from results.errors import ResultsError
from results.store import ResultStore
from results.summary import CampaignSummary

HERE = Path(__file__).parent
SHOP = HERE / "fake_shop.py"
FAKE_WORKER = (sys.executable, "-P", str(HERE / "fake_worker.py"))


class Log:
    """A Watcher that remembers."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.ended: list[str] = []
        self.ticks = 0

    def tick(self, campaign: Campaign) -> None:
        self.ticks += 1

    def failure(self, subject: Subject, event: FailureShrunk) -> None:
        self.failures.append(f"{subject.scenario}: {event.reproducer.invariant}")

    def scenario_ended(self, findings: Findings) -> None:
        self.ended.append(findings.subject.scenario)


class Interrupting(Log):
    """Ctrl-C at the first failure."""

    def failure(self, subject: Subject, event: FailureShrunk) -> None:
        raise KeyboardInterrupt


def campaign(
    folder: Path, *scenarios: str, log: Log | None = None, workers: int = 2, build: str = "old"
) -> Campaign:
    subjects = tuple(Subject("shop", build, name, str(SHOP)) for name in scenarios)
    assignment = Assignment(subjects, seed=7, workers=workers, runs=100, infrastructure="no stores")
    return Campaign(
        assignment, file_catalogue(SHOP), Recorder(folder, {"seed": 7}), log or Log(), FAKE_WORKER
    )


def exit_code(summary: CampaignSummary) -> int:
    return conclude(summary).exit_code


@pytest.fixture(autouse=True)
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where fake runners say that they started and closed."""
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv("FAKE_MARKS", str(folder))
    return folder


def started_and_closed(marks: Path) -> tuple[set[str], set[str]]:
    names = [path.name.split("-") for path in marks.iterdir()]
    return {pid for word, pid in names if word == "started"}, {pid for word, pid in names if word == "closed"}


def test_a_campaign_finds_records_and_reports(tmp_path: Path, marks: Path) -> None:
    log = Log()
    summary = campaign(tmp_path / "runs" / "base", "fails", "holds", log=log).run()

    assert exit_code(summary) == 1
    assert log.failures == ["fails: paid_once"]
    assert sorted(log.ended) == ["fails", "holds"]
    (failure,) = summary.failures
    assert failure.sentence == "Order o-1 was paid twice: 42.00 EUR and 42.00 EUR."
    assert (failure.runs, failure.first_run, failure.first_plan_faults) == (1, "2", 1)
    assert [scenario.runs for scenario in summary.scenarios] == [3, 3]
    started, closed = started_and_closed(marks)
    assert started == closed

    store = ResultStore.open(tmp_path / "runs" / "latest")
    assert (store.state, store.info["canary"]) == ("finished", "found")
    assert sorted(run.run for run in store.runs) == [
        f"{name}-{n}" for name in ("fails", "holds") for n in (1, 2, 3)
    ]
    assert [(one.run, one.reproducer, one.shrunk_size) for one in store.violations] == [
        ("fails-2", f"failures/{Path(failure.replay).name}", 1)
    ]
    assert [(one.fault, one.planned, one.hit) for one in store.coverage] == [("lost_reply", 1, 1)]
    plans = [json.loads(line) for line in (store.folder / "plans.jsonl").read_text().splitlines()]
    assert {row["run"] for row in plans} == {run.run for run in store.runs}


def test_a_failure_leaves_a_reproducer_and_its_story(tmp_path: Path) -> None:
    summary = campaign(tmp_path / "base", "fails").run()
    base = Path(summary.failures[0].explain)
    reproducer = json.loads(base.with_name(base.name + ".json").read_text())
    assert (reproducer["scenario"], reproducer["source"]) == ("fails", str(SHOP))
    story = base.with_name(base.name + ".txt").read_text()
    assert "ana → api" in story
    assert story.splitlines()[-1] == f"Replay:  paychaos replay {base}.json"


def test_what_the_target_prints_does_not_disturb_the_campaign(tmp_path: Path) -> None:
    assert exit_code(campaign(tmp_path / "base", "holds").run()) == 0


def test_a_worker_that_dies_costs_its_own_scenario_alone(tmp_path: Path) -> None:
    summary = campaign(tmp_path / "base", "dies", "holds", "fails", workers=1).run()
    assert [scenario.runs for scenario in summary.scenarios] == [1, 3, 3]
    assert summary.problems == (
        (
            "dies was not searched to the end: a worker process was killed by SIGKILL in the middle of its job."
            " Run it again; --workers 1 needs less memory."
            " Its last words: the target prints this / the target prints this / out of memory"
        ),
    )
    assert exit_code(summary) == 1


def test_a_campaign_that_only_broke_is_no_verdict(tmp_path: Path) -> None:
    summary = campaign(tmp_path / "base", "dies", "holds").run()
    assert exit_code(summary) == 3


def test_a_bug_of_ours_in_one_scenario_is_told_as_a_problem(tmp_path: Path) -> None:
    summary = campaign(tmp_path / "base", "breaks", "holds").run()
    assert summary.problems == (
        "breaks was not searched to the end: a bug of ours, ZeroDivisionError: 1 / 0",
    )
    assert exit_code(summary) == 3


def test_a_canary_that_passes_makes_the_campaign_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CANARY", "dead")
    summary = campaign(tmp_path / "base", "holds").run()
    assert summary.problems == (
        (
            "the canary, a program with a known defect, passed 3 runs: this harness finds nothing at present,"
            " so none of its verdicts counts. This is our bug; report it with `paychaos doctor`"
        ),
    )
    assert exit_code(summary) == 3


def test_a_campaign_that_exercised_nothing_ends_4(tmp_path: Path) -> None:
    summary = campaign(tmp_path / "base", "idles").run()
    assert exit_code(summary) == 4
    assert summary.scenarios[0].inconclusive == 0


def test_a_violation_that_does_not_reproduce_ends_5(tmp_path: Path) -> None:
    summary = campaign(tmp_path / "base", "flickers", "holds").run()
    assert exit_code(summary) == 5


def test_an_interrupted_campaign_keeps_what_it_has_and_stops_its_workers(tmp_path: Path, marks: Path) -> None:
    summary = campaign(tmp_path / "base", "stays", "fails", log=Interrupting()).run()
    assert exit_code(summary) == 130
    store = ResultStore.open(tmp_path / "base")
    assert store.state == "interrupted"
    assert len(store.runs) > 0
    assert (tmp_path / "base" / "runs.parquet").exists()
    started, closed = started_and_closed(marks)
    assert started == closed
    assert not [pid for pid in started if is_running(int(pid))]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_target_that_does_not_start_leaves_the_latest_results_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign(tmp_path / "first", "holds").run()
    monkeypatch.setenv("FAKE_START", "fails")
    with pytest.raises(TargetError, match=r"^the target cannot be imported: 'shop:app' raised ValueError"):
        campaign(tmp_path / "second", "holds", "fails").run()
    assert (tmp_path / "latest").resolve().name == "first"
    assert not (tmp_path / "second").exists()


def test_a_campaign_without_a_single_run_raises_what_stopped_it(tmp_path: Path) -> None:
    broken = campaign(tmp_path / "base", "holds")
    broken.findings[broken.assignment.subjects[0]].error = InfrastructureError("the disk is gone.")
    broken.schedule.next_job = lambda: None  # type: ignore[method-assign]
    with pytest.raises(InfrastructureError, match=r"^the disk is gone\.$"):
        broken.run()


def test_a_mistake_in_a_scenario_ends_the_campaign_and_keeps_the_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^shop_chaos\.py:7: AttributeError"):
        campaign(tmp_path / "base", "mistakes", "stays").run()
    store = ResultStore.open(tmp_path / "base")
    assert store.state == "interrupted"
    assert "mistakes-1" in {run.run for run in store.runs}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match=r"cannot be written .*name a folder you may write to with --out"):
        campaign(tmp_path / "file" / "base", "holds").run()
