"""A campaign: many runs of many scenarios under one budget, spread over worker processes and kept as it goes.

It talks to nobody: a `Watcher` shows progress, the `Recorder` writes, and what it returns is a summary that
the reports of `results` understand. Each campaign also searches a program with a known defect, the canary;
when that one is not found, nothing that was not found means anything.
"""

import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from harness import __version__
from harness.campaign.findings import Findings
from harness.campaign.job import Job, ReplayJob, SearchJob, Subject, World
from harness.campaign.pool import WORKER_COMMAND, Emitted, Failed, Finished, Pool, Reply
from harness.campaign.recorder import Recorder
from harness.campaign.schedule import Schedule
from harness.catalogue import Catalogue
from harness.errors import HarnessError, UsageError
from harness.events import FailureShrunk, event_from_json
from harness.realtime import monotonic_us
from harness.story.telling import story_of
from harness.story.words import in_one_line
from results.store import FAILURES
from results.story import Story
from results.summary import CampaignSummary

CANARY = Subject("canary", "default", "canary")
CANARY_RUNS = 12
CANARY_SECONDS = 30.0
CANARY_IS_DEAD = (
    "the canary, a program with a known defect, passed {runs} runs: this harness finds nothing at present,"
    " so none of its verdicts counts. This is our bug; report it with `paychaos doctor`"
)


@dataclass(frozen=True)
class Assignment:
    """What to search, with what.

    runs: of all scenarios together. seconds: of real time, for the whole campaign. infrastructure: what it
    runs on, in words, for the reports.
    """

    subjects: tuple[Subject, ...]
    seed: int
    workers: int
    runs: int | None = None
    seconds: float | None = None
    infrastructure: str = ""


class Watcher(Protocol):
    """Whoever looks on; must not fail and must not take long."""

    def tick(self, campaign: "Campaign") -> None:
        """About five times a second."""

    def failure(self, subject: Subject, event: FailureShrunk) -> None:
        """A failure is at its smallest."""

    def scenario_ended(self, findings: Findings) -> None: ...


class Campaign:
    """One campaign; `run` is called once."""

    def __init__(
        self,
        assignment: Assignment,
        catalogue: Catalogue,
        recorder: Recorder,
        watcher: Watcher,
        command: tuple[str, ...] = WORKER_COMMAND,
    ) -> None:
        self.assignment = assignment
        self.findings = {subject: _nothing_yet(subject, catalogue) for subject in assignment.subjects}
        self.canary = Findings(CANARY, {})
        self.is_interrupted = False
        self.begun_us = monotonic_us()
        self.schedule = Schedule(
            assignment.subjects,
            seed=assignment.seed,
            workers=assignment.workers,
            now_us=monotonic_us,
            runs=assignment.runs,
            seconds=assignment.seconds,
            jobs_first=[canary_job(assignment.seed, assignment.subjects[0].world)],
        )
        self._stories: list[Story] = []
        self._recorder = recorder
        self._watcher = watcher
        self._command = command

    @property
    def failures_folder(self) -> Path:
        """Where each failure's files are, as the user should type it."""
        return shown(self._recorder.folder) / FAILURES

    @property
    def wall_us(self) -> int:
        return monotonic_us() - self.begun_us

    def run(self) -> CampaignSummary:
        """Until the budget is used up, or Ctrl-C. Results are on disk when it returns or raises.

        Raises TargetError and its kin when there was not a single run, UsageError for a mistake in a
        scenario, ResultsError when the disk refuses.
        """
        with tempfile.TemporaryDirectory(prefix="paychaos-") as logs:
            try:
                self._work(Path(logs))
            except BaseException:
                self._finish(interrupted=True)
                raise
        self._finish(interrupted=self.is_interrupted)
        errors = [findings.error for findings in self.findings.values() if findings.error]
        if errors and not self._recorder.has_begun:
            raise errors[0]
        summary = self.summary()
        self._recorder.save_reports(summary, self._stories)
        return summary

    def _work(self, logs: Path) -> None:
        with Pool(self.assignment.workers, logs, self._command) as pool:
            try:
                for reply in pool.run(self.schedule.next_job):
                    if reply is None:
                        self._watcher.tick(self)
                    else:
                        self._take(*reply)
            except KeyboardInterrupt:
                self.is_interrupted = True
            with patience():
                pool.stop()

    def _take(self, job: Job, reply: Reply) -> None:
        if isinstance(job, ReplayJob):
            raise HarnessError(f"a campaign gives no replay jobs, but got {reply!r} for one")
        findings = self.canary if job.canary else self.findings[job.subject]
        match reply:
            case Emitted(document) if "telling" in document:
                if not job.canary:
                    self._save_story(findings, document)
            case Emitted(document):
                self._take_event(job, findings, document)
            case Failed(error, hopeless):
                if hopeless or isinstance(error, UsageError):
                    raise error
                findings.error = error
                self._ended(job, findings)
            case Finished():
                self._ended(job, findings)

    def _take_event(self, job: SearchJob, findings: Findings, document: dict[str, Any]) -> None:
        event = event_from_json(document)
        findings.take(event)
        if job.canary:
            return
        self._recorder.take(job.subject, event)
        if isinstance(event, FailureShrunk):
            self._watcher.failure(job.subject, event)

    def _save_story(self, findings: Findings, document: dict[str, Any]) -> None:
        """The failure as the search and one more run of it tell it."""
        event = findings.failures[document["of"]]
        story = story_of(event, findings.failure_summary(event, self.failures_folder), document["telling"])
        self._recorder.save_story(event.reproducer.name, story)
        self._stories.append(story)

    def _ended(self, job: SearchJob, findings: Findings) -> None:
        self.schedule.ended(job.subject)
        if not job.canary:
            self._watcher.scenario_ended(findings)

    def _finish(self, *, interrupted: bool) -> None:
        self._recorder.finish(
            interrupted=interrupted,
            info={"wall_us": self.wall_us, "canary": "found" if self.canary.failures else "not found"},
        )

    def summary(self) -> CampaignSummary:
        """As things stand; before the first run, what is about to be done."""
        subjects = self.assignment.subjects
        return CampaignSummary(
            version=__version__,
            seed=self.assignment.seed,
            target=_shared([subject.target for subject in subjects]),
            build=_shared([subject.build for subject in subjects]),
            world=f"{subjects[0].world} world",
            infrastructure=self.assignment.infrastructure,
            workers=self.assignment.workers,
            scenarios=tuple(findings.summary() for findings in self.findings.values()),
            failures=tuple(
                failure
                for findings in self.findings.values()
                for failure in findings.failure_summaries(self.failures_folder)
            ),
            coverage=self._recorder.coverage,
            wall_us=self.wall_us,
            folder=str(shown(self._recorder.folder)),
            interrupted=self.is_interrupted,
            problems=tuple(self._problems()),
        )

    def _problems(self) -> Iterator[str]:
        if self.canary.error:
            yield f"the canary could not be run: {in_one_line(self.canary.error)}"
        elif self.canary.is_finished and not self.canary.failures:
            yield CANARY_IS_DEAD.format(runs=self.canary.runs)
        for findings in self.findings.values():
            if findings.error:
                yield f"{findings.subject.scenario} was not searched to the end: {in_one_line(findings.error)}"


def canary_job(seed: int, world: World) -> SearchJob:
    return SearchJob(replace(CANARY, world=world), seed, CANARY_RUNS, CANARY_SECONDS, canary=True)


@contextmanager
def patience() -> Iterator[None]:
    """While workers are stopped and results written, another Ctrl-C must not cut that short; both are
    bounded.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _nothing_yet(subject: Subject, catalogue: Catalogue) -> Findings:
    scenario = catalogue.scenario(subject.scenario, catalogue.target(subject.target))
    return Findings(subject, {invariant.name: invariant.phase for invariant in scenario.invariants})


def shown(path: Path) -> Path:
    """As the user should type it: relative to where he is, when it is below."""
    here = Path.cwd()
    absolute = path.absolute()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


def _shared(names: Sequence[str]) -> str:
    return "+".join(dict.fromkeys(names))
