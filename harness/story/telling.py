"""What is told of one run besides its timeline: the rows of the entity, and both books; and the whole story
of a failure.

A `Telling` is made where the run was made, in the worker; the story is put together where the campaign is
known.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.events import FailureShrunk, RemovalEffect
from harness.plan import Plan
from harness.run import RowChange, Run
from harness.story.timeline import record_in_words, timeline_of
from harness.story.words import constraint_line, fault_line
from results.ledger import Ledger, LedgerLine
from results.rows import RowChange as ToldChange
from results.story import Removal, Story
from results.summary import FailureSummary
from results.text import listing, shorten
from results.timeline import Entry

MAX_ROWS = 60
MAX_LEDGER_LINES = 30
LEDGER_WIDTH = 44
IDENTIFIER = re.compile(r"[A-Za-z]+[_-]?[\w-]*\d[\w-]*")


@dataclass(frozen=True)
class Telling:
    """What a run alone can tell; results.story adds what the search knows of the failure."""

    timeline: tuple[Entry, ...]
    rows: tuple[ToldChange, ...]
    ledger: Ledger | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def telling_from_json(document: Mapping[str, Any]) -> Telling:
    ledger = document["ledger"]
    return Telling(
        tuple(Entry(**entry) for entry in document["timeline"]),
        tuple(ToldChange(**change) for change in document["rows"]),
        ledger
        and Ledger(ledger["theirs"], ledger["ours"], tuple(LedgerLine(**line) for line in ledger["lines"])),
    )


def tell(run: Run, entity: str | None = None) -> Telling:
    """The telling of a run made with `detail`; rows are those of the entity, by default of its first
    violation.
    """
    if entity is None and run.violations:
        entity = run.violations[0].entity
    return Telling(
        tuple(timeline_of(run)), tuple(rows_of(run.rows, entity)), ledger_of(run.exports, run.rows, entity)
    )


def story_of(event: FailureShrunk, failure: FailureSummary, telling: Mapping[str, Any]) -> Story:
    """A shrunk failure: what the search knows of it, and the telling of one more run of it."""
    told, found = telling_from_json(telling), event.reproducer
    return Story(
        failure,
        found.target,
        found.build,
        told.timeline,
        told.rows,
        told.ledger,
        tuple(differences(found.plan, event.nearest_pass)) if event.nearest_pass else (),
        tuple(Removal(effect.removed, _effect(effect)) for effect in event.removals),
    )


def _effect(effect: RemovalEffect) -> str:
    if effect.verdict == "pass":
        return "holds"
    if effect.invariants:
        return f"still violates {listing(effect.invariants)}"
    return f"ends {effect.verdict}"


def differences(failing: Plan, passing: Plan) -> list[str]:
    """In what a passing plan differs from a failing one, a line each."""
    lines = []
    for word, one, other in (("without", failing, passing), ("with", passing, failing)):
        faults = [fault_line(fault) for fault in one.faults if fault not in other.faults]
        lines += [f"{word} {line.what}, {line.where}" for line in faults]
        orders = [constraint_line(item) for item in one.constraints if item not in other.constraints]
        lines += [f"{word} the order {line}" for line in orders]
    if failing.inputs != passing.inputs:
        lines.append(f"inputs {dict(passing.inputs)} in place of {dict(failing.inputs)}")
    if failing.policy != passing.policy:
        lines.append(f"policy {passing.policy} in place of {failing.policy}")
    return lines or ["the seed alone, so the order of what races"]


def rows_of(changes: Sequence[RowChange], entity: str | None) -> list[ToldChange]:
    """The changes of rows that mention the entity; all of them when none does. The first ones of many."""
    about = [change for change in changes if entity and entity in _values(change)]
    return [_told(change) for change in (about or list(changes))[:MAX_ROWS]]


def _values(change: RowChange) -> set[str]:
    values = {**(change.before or {}), **(change.after or {})}.values()
    return {change.key, *map(str, values)}


def _told(change: RowChange) -> ToldChange:
    return ToldChange(
        change.at_us,
        change.table,
        change.key,
        change.op.lower(),  # type: ignore[arg-type]
        change.before,
        change.after,
        change.client,
    )


def ledger_of(
    exports: Mapping[str, Sequence[Mapping[str, Any]]], changes: Sequence[RowChange], entity: str | None
) -> Ledger | None:
    """What the dependencies recorded, each beside our newest rows that name one of its ids; None without any."""
    newest = {(change.table, change.key): change for change in changes}
    rows = [change for change in newest.values() if change.after is not None]
    records = [record for records in exports.values() for record in records if record]
    about = [record for record in records if entity and entity in str(record)]
    lines = tuple(_ledger_line(record, rows) for record in (about or records)[:MAX_LEDGER_LINES])
    names = [name for name, records in exports.items() if records]
    return Ledger(listing(names), "our rows", lines) if lines else None


def _ledger_line(record: Mapping[str, Any], rows: Iterable[RowChange]) -> LedgerLine:
    key = str(record.get("id", next(iter(record.values()))))
    ids = {value for value in record.values() if isinstance(value, str) and IDENTIFIER.fullmatch(value)}
    ours = [f"{row.table} {row.key} {_state(row)}".strip() for row in rows if ids & _values(row)]
    theirs = shorten(record_in_words(record), LEDGER_WIDTH)
    return LedgerLine(key, theirs, shorten("; ".join(ours), LEDGER_WIDTH), agrees=bool(ours))


def _state(row: RowChange) -> str:
    """The row's status, when it has a column that is called so."""
    return str((row.after or {}).get("status", ""))
