"""The rows of a campaign in memory: added one by one, or read back, and counted.

The same rows in the same order give the same tables, whether from a live campaign or from its line file.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar, get_args

from results.record import (
    CoverageRecord,
    InvariantCount,
    Outcome,
    OutcomeRecord,
    RunRecord,
    Verdict,
    ViolationRecord,
)

Record = TypeVar("Record", RunRecord, ViolationRecord, CoverageRecord)
Row = dict[str, Any]


class Tables:
    """Runs, outcomes, violations and coverage, in the order of their first appearance."""

    def __init__(self) -> None:
        self.runs: dict[str, RunRecord] = {}
        self.outcomes: dict[tuple[str, str], OutcomeRecord] = {}
        self.violations: dict[tuple[str, str, str], ViolationRecord] = {}
        self.coverage: dict[tuple[str, str, str], CoverageRecord] = {}

    def add_run(self, run: RunRecord, outcomes: Mapping[str, Outcome]) -> Row:
        """ValueError on a run that is there already, and on a verdict or outcome that does not exist."""
        if run.run in self.runs:
            raise ValueError(
                f"run {run.run!r} is recorded already: a run has one row. Give each run its own id."
            )
        if not -(2**63) <= run.seed < 2**63:
            raise ValueError(
                f"seed {run.seed} of run {run.run!r} does not fit into 64 bits, sign included: draw a smaller one."
            )
        _demand_member("verdict", run.verdict, get_args(Verdict))
        for outcome in outcomes.values():
            _demand_member("outcome", outcome, get_args(Outcome))
        self.runs[run.run] = run
        for invariant, outcome in outcomes.items():
            self.outcomes[run.run, invariant] = OutcomeRecord(run.run, invariant, outcome)
        return {"row": "run", **asdict(run), "outcomes": dict(outcomes)}

    def add_violation(self, violation: ViolationRecord) -> Row:
        """A later record of the same run, invariant and entity (shrunk by now) replaces the earlier one."""
        if violation.run not in self.runs:
            raise ValueError(f"run {violation.run!r} has no row: record the run before its violations.")
        key = (violation.run, violation.invariant)
        self.outcomes[key] = OutcomeRecord(*key, "violated")
        self.violations[*key, violation.entity] = violation
        return {"row": "violation", **asdict(violation)}

    def add_coverage(self, coverage: CoverageRecord) -> Row:
        """Counts of one scenario, fault and boundary add up."""
        key = (coverage.scenario, coverage.fault, coverage.boundary)
        before = self.coverage.get(key)
        planned, hit = (before.planned, before.hit) if before else (0, 0)
        self.coverage[key] = replace(coverage, planned=planned + coverage.planned, hit=hit + coverage.hit)
        return {"row": "coverage", **asdict(coverage)}

    def add_row(self, row: Row) -> None:
        """A row as the methods above returned it. ValueError when it is none."""
        match row.get("row"):
            case "run":
                self.add_run(_record(RunRecord, row), row["outcomes"])
            case "violation":
                self.add_violation(_record(ViolationRecord, row))
            case "coverage":
                self.add_coverage(_record(CoverageRecord, row))
            case other:
                raise ValueError(f"there is no row of kind {other!r}")

    def counts(self) -> list[InvariantCount]:
        """Outcomes per scenario and invariant, sorted by both names."""
        tally: Counter[tuple[str, str, Outcome]] = Counter()
        for outcome in self.outcomes.values():
            tally[self.runs[outcome.run].scenario, outcome.invariant, outcome.outcome] += 1
        pairs = sorted({(scenario, invariant) for scenario, invariant, _ in tally})
        return [
            InvariantCount(
                *pair,
                held=tally[*pair, "held"],
                violated=tally[*pair, "violated"],
                not_exercised=tally[*pair, "not_exercised"],
            )
            for pair in pairs
        ]


def _record(kind: type[Record], row: Row) -> Record:
    try:
        return kind(**{field.name: row[field.name] for field in fields(kind)})
    except KeyError as error:
        raise ValueError(f"a {row['row']} row lacks {error}") from None


def _demand_member(noun: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{noun} {value!r} does not exist: it is one of {', '.join(known)}.")
