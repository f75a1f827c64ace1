"""A results folder: where a campaign is kept, written as it goes and readable after any kind of end.

- `manifest.json`: format, id, state (running, finished, interrupted), and what the caller tells about it
- `rows.jsonl`: the rows so far; while it is there it is the truth, and `finish` makes the Parquet files of it
- `runs.parquet`, `violations.parquet`, `coverage.parquet`, `outcomes.parquet` (a row per run and invariant)
- `invariants.parquet`: the outcomes, counted per scenario and invariant
- `failures/`: reproducers and stories, saved by the caller
- `../latest` points to the folder made last
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from results import parquet
from results.errors import ResultsError
from results.folder import (
    Manifest,
    State,
    disk,
    make_folder,
    point_latest,
    read_manifest,
    resolve,
    write_atomically,
    write_manifest,
    write_text,
)
from results.linefile import LineFile, read_lines
from results.record import CoverageRecord, InvariantCount, Outcome, OutcomeRecord, RunRecord, ViolationRecord
from results.tables import Row, Tables

ROWS = "rows.jsonl"
FAILURES = "failures"

Record = TypeVar("Record")


class ResultStore:
    """One campaign's results. `create` makes one to write to, `open` reads one; nobody else constructs it.

    A method that writes raises ResultsError when the disk refuses; what was added before stays readable.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, tables: Tables, lines: LineFile | None, torn: bool
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.torn = torn
        self._tables = tables
        self._lines = lines

    @classmethod
    def create(
        cls, root: Path = Path("runs"), *, id: str, info: Mapping[str, Any] | None = None
    ) -> "ResultStore":
        """A new folder `root/id`, open for writing, and `root/latest` pointing to it. `info` must be JSON."""
        folder = make_folder(root, id)
        manifest = Manifest(id, "running", dict(info or {}))
        with disk(folder):
            (folder / FAILURES).mkdir()
            write_manifest(folder, manifest)
            lines = LineFile(folder / ROWS)
        point_latest(folder)
        return cls(folder, manifest, Tables(), lines, torn=False)

    @classmethod
    def open(cls, path: Path) -> "ResultStore":
        """Read a folder, whatever ended its campaign; one still being written shows what it holds now."""
        folder = resolve(path)
        manifest = read_manifest(folder)
        try:
            tables, torn = _from_lines(folder / ROWS)
        except FileNotFoundError:  # finished, if only this moment
            tables, torn = _from_parquet(folder), False
        return cls(folder, manifest, tables, None, torn)

    @property
    def state(self) -> State:
        """`running` for ever when the process was killed."""
        return self.manifest.state

    @property
    def info(self) -> Mapping[str, Any]:
        return self.manifest.info

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        return tuple(self._tables.runs.values())

    @property
    def outcomes(self) -> tuple[OutcomeRecord, ...]:
        return tuple(self._tables.outcomes.values())

    @property
    def violations(self) -> tuple[ViolationRecord, ...]:
        return tuple(self._tables.violations.values())

    @property
    def coverage(self) -> tuple[CoverageRecord, ...]:
        return tuple(self._tables.coverage.values())

    def run(self, run: str) -> RunRecord | None:
        """The run of that id, if it is here."""
        return self._tables.runs.get(run)

    def counts(self) -> list[InvariantCount]:
        """How often each invariant of each scenario held, was violated, was not exercised."""
        return self._tables.counts()

    def add_run(self, run: RunRecord, outcomes: Mapping[str, Outcome]) -> None:
        """Keep a run with what it says about each invariant of its scenario; kill-safe when this returns.

        ValueError when the run is there already or a word is unknown: a bug of the caller.
        """
        self._keep(self._tables.add_run(run, outcomes))

    def add_violation(self, violation: ViolationRecord) -> None:
        """Keep a violation of a run that is here; again when it is shrunk: that replaces the first record."""
        self._keep(self._tables.add_violation(violation))

    def add_coverage(self, coverage: CoverageRecord) -> None:
        """Add to what is known of a fault at a boundary; counts add up."""
        self._keep(self._tables.add_coverage(coverage))

    def save_failure(self, name: str, text: str) -> str:
        """Write `failures/<name>` atomically. Returns its path in the folder, as violations name it."""
        write_text(self.folder / FAILURES / name, text)
        return f"{FAILURES}/{name}"

    def save_text(self, name: str, text: str) -> Path:
        """Write a report beside the tables, atomically."""
        write_text(self.folder / name, text)
        return self.folder / name

    def checkpoint(self) -> None:
        """Write the Parquet files as the rows stand now, for whoever looks in with another tool."""
        tables: list[tuple[str, type[Any], Any]] = [
            ("runs", RunRecord, self.runs),
            ("outcomes", OutcomeRecord, self.outcomes),
            ("violations", ViolationRecord, self.violations),
            ("coverage", CoverageRecord, self.coverage),
            ("invariants", InvariantCount, self.counts()),
        ]
        for name, kind, records in tables:
            _write_table(self.folder / f"{name}.parquet", kind, records)

    def finish(self, *, interrupted: bool = False, info: Mapping[str, Any] | None = None) -> None:
        """Write all tables and the manifest, then drop the line file. The store is for reading from here on.

        A kill in between leaves the line file, and with it everything.
        """
        lines = self._writer()
        self.checkpoint()
        state: State = "interrupted" if interrupted else "finished"
        self.manifest = replace(self.manifest, state=state, info={**self.manifest.info, **(info or {})})
        write_manifest(self.folder, self.manifest)
        lines.close()
        with disk(self.folder / ROWS):
            (self.folder / ROWS).unlink()
        self._lines = None

    def _keep(self, row: Row) -> None:
        with disk(self.folder / ROWS):
            self._writer().append(row)

    def _writer(self) -> LineFile:
        if self._lines is None:
            raise ResultsError(
                f"{self.folder} is open for reading only. Make a new one with ResultStore.create."
            )
        return self._lines


def _write_table(path: Path, kind: type[Any], records: Any) -> None:
    write_atomically(path, lambda temporary: parquet.write(temporary, kind, records))


def _from_lines(path: Path) -> tuple[Tables, bool]:
    tables = Tables()
    rows, torn = read_lines(path)
    for number, row in enumerate(rows, start=1):
        try:
            tables.add_row(row)
        except ValueError as error:
            raise ResultsError(
                f"{path}, line {number}, is not a row of this version: {error}. Upgrade paychaos."
            ) from error
    return tables, torn


def _from_parquet(folder: Path) -> Tables:
    tables = Tables()
    for run in parquet.read(folder / "runs.parquet", RunRecord):
        tables.runs[run.run] = run
    for outcome in parquet.read(folder / "outcomes.parquet", OutcomeRecord):
        tables.outcomes[outcome.run, outcome.invariant] = outcome
    for violation in parquet.read(folder / "violations.parquet", ViolationRecord):
        tables.violations[violation.run, violation.invariant, violation.entity] = violation
    for coverage in parquet.read(folder / "coverage.parquet", CoverageRecord):
        tables.coverage[coverage.scenario, coverage.fault, coverage.boundary] = coverage
    return tables
