"""The record types: one frozen dataclass per row that a campaign leaves behind.

Each maps to a Parquet table of a results folder (see `store.py`); the fields in order are its columns.
Times are integer microseconds; counts are plain integers.
"""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "inconclusive", "fail", "error"]
Outcome = Literal["held", "violated", "not_exercised"]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a scenario against a build.

    `run` is unique in its folder and is what `paychaos replay RUN_ID` takes. `digest` is that of the History.
    Runs of two builds are paired by `(scenario, seed)`. Integers fit into 64 bits, sign included.
    """

    run: str
    scenario: str
    target: str
    build: str
    seed: int
    verdict: Verdict
    digest: str
    steps: int
    virtual_us: int
    wall_us: int


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """What one run says about one invariant. Every invariant of the scenario gets one, idle or not."""

    run: str
    invariant: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ViolationRecord:
    """One invariant broken for one entity in one run.

    `signature` groups violations with one cause. `shrunk_size` is faults + constraints of the smallest plan
    known to show it. `reproducer` is a path relative to the results folder, empty when none was saved.
    """

    run: str
    invariant: str
    entity: str
    signature: str
    shrunk_size: int
    reproducer: str
    faults: int = 0
    constraints: int = 0
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class CoverageRecord:
    """How often a fault was planned at a boundary, and how often it was really hit there."""

    scenario: str
    fault: str
    boundary: str
    planned: int
    hit: int


@dataclass(frozen=True, slots=True)
class InvariantCount:
    """How many runs of a scenario held, violated or did not exercise an invariant; counted from outcomes."""

    scenario: str
    invariant: str
    held: int
    violated: int
    not_exercised: int

    @property
    def exercised(self) -> int:
        """Runs that put the invariant to the test."""
        return self.held + self.violated
