"""Keeps a campaign as it goes: each event becomes rows and files of a results folder.

The folder is made when the first run has ended, so that a target which does not even start leaves `latest`
alone.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.boundary import signature_of
from harness.campaign.job import Subject
from harness.events import FailureShrunk, RunFinished, ScenarioFinished, SearchEvent
from harness.reproducer import Reproducer
from results.html.page import render_html
from results.junit import render_junit
from results.linefile import LineFile
from results.record import CoverageRecord, RunRecord, ViolationRecord
from results.report import render_report
from results.store import ResultStore
from results.story import Story, render_story, story_to_json
from results.summary import CampaignSummary

PLANS = "plans.jsonl"
"""A line per run of the exploration: its id and its plan, so that each can be run again."""

STORY_ENDING = ".story.json"


class Recorder:
    """One campaign's memory on disk; `folder` is where, and must not exist yet. Raises ResultsError when the
    disk refuses.
    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder = folder
        self._info = info
        self._store: ResultStore | None = None
        self._plans: LineFile | None = None

    @property
    def store(self) -> ResultStore:
        if self._store is None:
            self._store = ResultStore.create(self.folder.parent, id=self.folder.name, info=self._info)
            self._plans = LineFile(self._store.folder / PLANS)
        return self._store

    @property
    def has_begun(self) -> bool:
        """Whether a run has ended yet."""
        return self._store is not None

    @property
    def coverage(self) -> tuple[CoverageRecord, ...]:
        return () if self._store is None else self._store.coverage

    def take(self, subject: Subject, event: SearchEvent) -> None:
        """Writes what the event adds; kill-safe when this returns."""
        match event:
            case RunFinished(step=0):
                self._run(subject, event)
            case FailureShrunk():
                self._failure(subject, event)
            case ScenarioFinished():
                self._coverage(event)

    def save_story(self, name: str, story: Story) -> None:
        """The story of a failure, beside its reproducer: as text, and as data for other reports."""
        self.store.save_failure(f"{name}{STORY_ENDING}", story_to_json(story))
        self.store.save_failure(f"{name}.txt", render_story(story))

    def save_reports(self, summary: CampaignSummary, stories: Sequence[Story]) -> None:
        """The final text as the command line printed it, the page, and what CI systems read."""
        if self._store is not None:
            self._store.save_text("report.txt", render_report(summary))
            self._store.save_text("report.html", render_html(summary, stories))
            self._store.save_text("junit.xml", render_junit(summary))

    def finish(self, *, interrupted: bool, info: dict[str, Any]) -> None:
        """Writes all tables. Does nothing when no run ever ended."""
        if self._store is not None and self._plans is not None:
            self._plans.close()
            self._store.finish(interrupted=interrupted, info=info)

    def _run(self, subject: Subject, event: RunFinished) -> None:
        record = RunRecord(
            event.run_id,
            event.scenario,
            subject.target,
            event.build,
            event.plan.seed,
            event.verdict,
            event.digest,
            event.steps,
            event.virtual_us,
            event.wall_us,
        )
        self.store.add_run(record, event.invariants)
        assert self._plans is not None
        self._plans.append({"run": event.run_id, "plan": event.plan.to_json()})
        for violation in event.violations:
            signature = signature_of(event.scenario, violation.invariant, event.plan)
            self.store.add_violation(
                ViolationRecord(
                    event.run_id,
                    violation.invariant,
                    violation.entity,
                    signature,
                    event.plan.size,
                    "",
                    len(event.plan.faults),
                    len(event.plan.constraints),
                    violation.sentence,
                )
            )

    def _failure(self, subject: Subject, event: FailureShrunk) -> None:
        found = event.reproducer.with_source(subject.file or "")
        path = self.store.save_failure(f"{found.name}.json", as_text(found))
        run_id = f"{found.scenario}-{event.number}"
        if self.store.run(run_id) is None:
            return
        plan = found.plan
        self.store.add_violation(
            ViolationRecord(
                run_id,
                found.invariant,
                found.entity,
                event.signature,
                plan.size,
                path,
                len(plan.faults),
                len(plan.constraints),
                found.sentence,
            )
        )

    def _coverage(self, event: ScenarioFinished) -> None:
        for item in event.coverage:
            self.store.add_coverage(
                CoverageRecord(event.scenario, item.fault, item.boundary, item.planned, item.hit)
            )


def as_text(reproducer: Reproducer) -> str:
    """The reproducer's file."""
    return json.dumps(reproducer.to_json(), indent=2, ensure_ascii=False) + "\n"
