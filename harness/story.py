"""Tells a run: its events, row changes and exports become the entries of a timeline that a person reads in a
minute.

Each named message is told once, when it is delivered, by its request; an answer is told only when something
happened to it, or when it says something a customer sees. Messages in a row on one link become one line.
Kinds that come again and again (a worker's poll) are marked for folding.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.events import FailureShrunk, RemovalEffect
from harness.fault import Fault
from harness.history import Event
from harness.names import MessageName, is_name, parse_name
from harness.plan import Plan
from harness.run import RowChange, Run
from harness.words import fault_line
from results.ledger import Ledger, LedgerLine
from results.rows import RowChange as ToldChange
from results.rows import describe
from results.story import Removal, Story
from results.summary import FailureSummary
from results.text import listing
from results.timeline import Entry, Mark

FOLD_KINDS_FROM = 6
"""A kind that one node sends this often on one link is its poll, or its bookkeeping."""

QUIET_KINDS = {"started", "ready"}
FAULT_KINDS = {"crashed", "down", "refused", "expired", "evicted", "exited", "healed"}
MAX_ROWS = 60
MAX_LEDGER_LINES = 30


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
        None
        if ledger is None
        else Ledger(ledger["theirs"], ledger["ours"], tuple(LedgerLine(**line) for line in ledger["lines"])),
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
    lines = [f"without {fault.describe()}" for fault in failing.faults if fault not in passing.faults]
    lines += [f"with {fault.describe()}" for fault in passing.faults if fault not in failing.faults]
    lines += [
        f"without the order {item.describe()}"
        for item in failing.constraints
        if item not in passing.constraints
    ]
    lines += [
        f"with the order {item.describe()}" for item in passing.constraints if item not in failing.constraints
    ]
    if failing.inputs != passing.inputs:
        lines.append(f"inputs {dict(passing.inputs)} in place of {dict(failing.inputs)}")
    if failing.policy != passing.policy:
        lines.append(f"policy {passing.policy} in place of {failing.policy}")
    return lines or ["the seed alone, so the order of what races"]


def tell(run: Run, entity: str | None = None) -> Telling:
    """The telling of a run made with `detail`; rows are those of the entity, by default that of its first
    violation.
    """
    if entity is None and run.violations:
        entity = run.violations[0].entity
    return Telling(
        tuple(timeline_of(run)), tuple(rows_of(run.rows, entity)), ledger_of(run.exports, run.rows)
    )


def timeline_of(run: Run) -> list[Entry]:
    """The entries in order of time, with the violations at the moments when they were first seen."""
    polls = _polls(run.events)
    entries = [entry for event in run.events if (entry := _entry(event, run.plan.faults, polls)) is not None]
    entries = _joined(entries)
    for violation in run.violations:
        mark = Entry(violation.at_us, violation.invariant, violation.sentence, mark="violation")
        place = sum(1 for entry in entries if entry.at_us is not None and entry.at_us <= violation.at_us)
        entries.insert(place, mark)
    return entries


def _entry(event: Event, faults: Sequence[Fault], polls: set[tuple[str, str]]) -> Entry | None:
    """One event as a line; None when it says nothing by itself."""
    if event.kind == "fault":
        return _injected(event, faults)
    if not is_name(event.what):
        return _of_node(event)
    name = parse_name(event.what)
    if event.kind == "delivered":
        return _delivered(event, name, {fault.at for fault in faults}, polls)
    if event.kind == "lost" and event.what in {fault.at for fault in faults}:
        return None
    words = {"held": "held back", "unreachable": "finds nobody"}.get(event.kind, event.kind)
    mark: Mark = "held" if event.kind == "held" else "fault"
    return Entry(event.at_us, name.sender, f"{_message(name)} {words}", to=name.receiver, mark=mark)


def _injected(event: Event, faults: Sequence[Fault]) -> Entry:
    """A fault of the plan as it strikes, between the two nodes of its message when it has one."""
    struck = next((fault for fault in faults if (fault.kind, fault.at) == (event.who, event.what)), None)
    what = fault_line(struck).what if struck else event.who
    if not is_name(event.what) or (struck and "moment" in struck.definition.anchor):
        return Entry(event.at_us, "fault", what, mark="fault")
    name = parse_name(event.what)
    return Entry(event.at_us, name.sender, f"{what}: {_message(name)}", to=name.receiver, mark="fault")


def _of_node(event: Event) -> Entry | None:
    """What a node did by itself; the end of a boot is no news."""
    if event.kind in QUIET_KINDS:
        return None
    verb = "" if event.kind in ("noted", "outcome") else event.kind.replace("_", " ")
    words = " ".join(word for word in (verb, event.what, event.detail) if word)
    return Entry(event.at_us, event.who, words, mark="fault" if event.kind in FAULT_KINDS else "none")


def _delivered(
    event: Event, name: MessageName, anchors: set[str], polls: set[tuple[str, str]]
) -> Entry | None:
    """A request; an answer only when a fault was about it."""
    is_struck = event.what in anchors
    if name.is_reply:
        return (
            Entry(event.at_us, name.sender, _message(name), to=name.receiver, mark="fault")
            if is_struck
            else None
        )
    is_poll = (name.link, name.kind) in polls and not is_struck
    fold = f"{name.source}'s {name.kind}" if is_poll else ""
    return Entry(event.at_us, name.sender, name.kind, to=name.receiver, fold=fold)


def _message(name: MessageName) -> str:
    return f"{'the answer to ' if name.is_reply else ''}{name.kind}#{name.number}"


def _polls(events: Iterable[Event]) -> set[tuple[str, str]]:
    """Link and kind of what is delivered again and again."""
    counts = Counter(
        (name.link, name.kind)
        for event in events
        if event.kind == "delivered" and is_name(event.what)
        for name in (parse_name(event.what),)
        if not name.is_reply
    )
    return {key for key, count in counts.items() if count >= FOLD_KINDS_FROM}


def _joined(entries: Iterable[Entry]) -> list[Entry]:
    """Plain messages in a row from one node to another become one: ``INSERT orders, COMMIT``."""
    lines: list[Entry] = []
    for entry in entries:
        before = lines[-1] if lines else None
        if before is not None and _is_plain(before) and _is_plain(entry) and _way(before) == _way(entry):
            lines[-1] = replace(before, what=f"{before.what}, {entry.what}")
        else:
            lines.append(entry)
    return lines


def _is_plain(entry: Entry) -> bool:
    return bool(entry.to) and entry.mark == "none" and not entry.note and not entry.fold


def _way(entry: Entry) -> tuple[str, str]:
    return entry.who, entry.to


def rows_of(changes: Sequence[RowChange], entity: str | None) -> list[ToldChange]:
    """The changes of rows that mention the entity; all of them when none does. The first ones, when they are
    many.
    """
    about = [change for change in changes if entity is not None and _mentions(change, entity)]
    return [_told(change) for change in (about or list(changes))[:MAX_ROWS]]


def _mentions(change: RowChange, entity: str) -> bool:
    values = {**(change.before or {}), **(change.after or {})}.values()
    return change.key == entity or entity in map(str, values)


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
    exports: Mapping[str, Sequence[Mapping[str, Any]]], changes: Sequence[RowChange]
) -> Ledger | None:
    """What the dependencies recorded, each record beside our newest row that names its id; None without any."""
    newest: dict[tuple[str, str], RowChange] = {(change.table, change.key): change for change in changes}
    lines = [
        _ledger_line(record, newest.values()) for records in exports.values() for record in records if record
    ]
    if not lines:
        return None
    return Ledger(
        ", ".join(name for name, records in exports.items() if records),
        "our rows",
        tuple(lines[:MAX_LEDGER_LINES]),
    )


def _ledger_line(record: Mapping[str, Any], rows: Iterable[RowChange]) -> LedgerLine:
    key = str(record.get("id", next(iter(record.values()))))
    theirs = ", ".join(f"{name} {value}" for name, value in record.items() if _is_telling(name, value))
    ours = [
        f"{row.table} {row.key}: {_short(row)}" for row in rows if key in map(str, (row.after or {}).values())
    ]
    return LedgerLine(key, theirs, "; ".join(ours), agrees=bool(ours))


def _is_telling(name: str, value: Any) -> bool:
    return name != "id" and isinstance(value, str | int) and value != ""


def _short(row: RowChange) -> str:
    """The row's words and numbers that are no ids."""
    if row.after is None:
        return "deleted"
    if "status" in row.after:
        return str(row.after["status"])
    return describe(_told(replace(row, op="insert", before=None)))
