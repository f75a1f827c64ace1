"""What a campaign has found so far, scenario by scenario: kept up to date by its events, turned into a
summary.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.campaign.job import Subject
from harness.errors import PaychaosError
from harness.events import FailureFound, FailureShrunk, RunFinished, ScenarioFinished, SearchEvent
from harness.run import InvariantVerdict
from harness.story.words import constraint_line, fault_line
from results.record import InvariantCount
from results.summary import FailureSummary, ScenarioSummary

SEVERITY = {"always": 1, "eventually": 0}
"""What must never be seen is worse than what comes right too late."""


@dataclass
class Findings:
    """One scenario on one build.

    invariants: name to phase. runs: of the exploration. failures: by signature, in the order found. shown_by:
    how many runs showed each. undecided: runs that put something to the test and came to no verdict. error:
    what ended the search early; note: the first reason that a run gave for coming to no verdict.
    """

    subject: Subject
    invariants: dict[str, str]
    runs: int = 0
    shrink_runs: int = 0
    failures: dict[str, FailureShrunk] = field(default_factory=dict)
    shown_by: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, InvariantVerdict]] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    undecided: int = 0
    note: str = ""
    error: PaychaosError | None = None
    is_finished: bool = False
    _first_plan_faults: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, event: SearchEvent) -> None:
        """Counts one event of the search."""
        match event:
            case RunFinished(step=0):
                self._take_run(event)
            case RunFinished():
                self.shrink_runs += 1
            case FailureFound():
                self._first_plan_faults[event.violation.signature] = len(event.plan.faults)
            case FailureShrunk():
                self.failures[event.signature] = event
                self.shown_by[event.signature] = max(1, self.shown_by[event.signature])
            case ScenarioFinished():
                self.is_finished = True
                self.shown_by.update(
                    {name: runs - self.shown_by[name] for name, runs in event.failures.items()}
                )

    def _take_run(self, event: RunFinished) -> None:
        self.runs += 1
        self.verdicts[event.verdict] += 1
        idle = all(outcome == "not_exercised" for outcome in event.invariants.values())
        self.undecided += event.verdict == "inconclusive" and not idle
        self.note = self.note or event.error or ""
        for name, outcome in event.invariants.items():
            self.outcomes[name, outcome] += 1

    def summary(self) -> ScenarioSummary:
        counts = tuple(
            InvariantCount(
                self.subject.scenario,
                name,
                self.outcomes[name, "held"],
                self.outcomes[name, "violated"],
                self.outcomes[name, "not_exercised"],
            )
            for name in self.invariants
        )
        return ScenarioSummary(
            self.subject.scenario,
            self.runs,
            counts,
            inconclusive=self.undecided,
            errors=self.verdicts["error"],
            note=self.note,
        )

    def failure_summaries(self, folder: Path) -> list[FailureSummary]:
        """Each distinct failure; `folder` holds its files, as the user should type it."""
        return [self.failure_summary(event, folder) for event in self.failures.values()]

    def failure_summary(self, event: FailureShrunk, folder: Path) -> FailureSummary:
        found = event.reproducer
        return FailureSummary(
            invariant=found.invariant,
            scenario=found.scenario,
            entity=found.entity,
            signature=event.signature,
            sentence=found.sentence,
            faults=tuple(fault_line(fault) for fault in found.plan.faults),
            constraints=tuple(constraint_line(constraint) for constraint in found.plan.constraints),
            first_plan_faults=self._first_plan_faults.get(
                (found.invariant, found.entity), len(found.plan.faults)
            ),
            runs=self.shown_by[event.signature],
            first_run=str(event.number),
            reproduced=event.reproduced,
            attempts=event.times,
            explain=str(folder / found.name),
            replay=str(folder / f"{found.name}.json"),
            severity=SEVERITY.get(self.invariants.get(found.invariant, ""), 0),
            first_difference=" | ".join(event.first_difference or ()),
        )
