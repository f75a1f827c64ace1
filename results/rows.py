"""The history of an entity's rows: one line per change, showing only the columns that changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from results.text import cells, clean, pad, seconds, shorten, wrap
from results.timeline import DEFAULT_WIDTH

Op = Literal["insert", "update", "delete"]
Values = Mapping[str, object]

_LONGEST_VALUE = 40
_NARROWEST_CHANGE = 24


@dataclass(frozen=True, slots=True)
class RowChange:
    """One change of one row.

    at_us: virtual microseconds of the statement. table, key: which row. before, after: its columns, None
    where there was no row. client: the node whose session did it.
    """

    at_us: int
    table: str
    key: str
    op: Op
    before: Values | None
    after: Values | None
    client: str


def describe(change: RowChange) -> str:
    """What changed: `status: pending → paid`, `inserted: amount = 4200, status = 'new'`, `deleted: …`."""
    before, after = change.before or {}, change.after or {}
    if change.op == "update":
        names = [name for name in {**before, **after} if _differs(name, before, after)]
        changes = [f"{name}: {_value(before.get(name))} → {_value(after.get(name))}" for name in names]
        return clean(", ".join(changes)) or "updated, no column changed"
    verb, values = ("inserted", after) if change.op == "insert" else ("deleted", before)
    return clean(f"{verb}: {', '.join(f'{name} = {_value(value)}' for name, value in values.items())}")


def render_rows(changes: Sequence[RowChange], width: int = DEFAULT_WIDTH) -> str:
    """A line per change, at most `width` columns wide; a long change goes on below itself. Empty for none."""
    starts = [
        (seconds(change.at_us), clean(change.client), clean(f"{change.table} {change.key}"))
        for change in changes
    ]
    time, client, row = (max((cells(start[i]) for start in starts), default=0) for i in range(3))
    before_change = 1 + time + 2 + client + 2 + row + 2
    room = max(width - before_change, _NARROWEST_CHANGE)
    lines = []
    for change, start in zip(changes, starts, strict=True):
        first, *more = wrap(describe(change), room)
        lines.append(f" {start[0]:>{time}}  {pad(start[1], client)}  {pad(start[2], row)}  {first}")
        lines.extend(" " * before_change + text for text in more)
    return "".join(f"{line}\n" for line in lines)


def _differs(name: str, before: Values, after: Values) -> bool:
    return (name in before) != (name in after) or before.get(name) != after.get(name)


def _value(value: object) -> str:
    return shorten("null" if value is None else str(value), _LONGEST_VALUE)


def rows_title(entity: str) -> str:
    """What stands above the rows: whose they are, when the invariant said so."""
    return f"{clean(entity)}, as its rows changed" if entity else "The rows, as they changed"
