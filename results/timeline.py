"""The timeline of a run: who said what to whom and when, with faults, holds and the violation marked.

Traffic that has nothing to do with the failure is folded: entries in a row that carry a `fold` label become
one line, "… 12 messages of the worker's poll". Whoever makes the entries decides what is unrelated.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from results.text import cells, clean, count, pad, seconds, shorten, wrap

Mark = Literal["none", "fault", "held", "violation"]

SYMBOLS: dict[Mark, str] = {"none": "", "fault": "⚡", "held": "‖", "violation": "✗"}
"""A fault, a message held back by an ordering constraint, and the moment an invariant broke."""

FOLD_FROM = 3
"""So many entries in a row are folded; fewer would not make the text shorter."""

DEFAULT_WIDTH = 100
_WIDEST_WHO = 36
_NARROWEST_WHAT = 24


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline.

    at_us: virtual microseconds, None where no time belongs to it. who: a node, or the sender of a message.
    what: the message or event in words. to: the receiver, empty for an event. mark: see `SYMBOLS`; a
    violation names its invariant as `who`. note: a remark at the line's end. fold: what it is a message of
    ("the worker's poll") when it may be folded; empty when it must be seen.
    """

    at_us: int | None
    who: str
    what: str
    to: str = ""
    mark: Mark = "none"
    note: str = ""
    fold: str = ""


@dataclass(frozen=True, slots=True)
class Folded:
    """Entries in a row that were folded into one line."""

    at_us: int | None
    what: str


def fold(entries: Iterable[Entry]) -> list[Entry | Folded]:
    """The entries, with `FOLD_FROM` or more foldable ones in a row replaced by one `Folded`."""
    lines: list[Entry | Folded] = []
    for foldable, group in groupby(entries, key=_foldable):
        members = list(group)
        if not foldable or len(members) < FOLD_FROM:
            lines.extend(members)
            continue
        labels = Counter(entry.fold for entry in members)
        what = ", ".join(f"{count(number, 'message')} of {label}" for label, number in labels.items())
        lines.append(Folded(members[0].at_us, f"… {what}"))
    return lines


def render_timeline(entries: Sequence[Entry], width: int = DEFAULT_WIDTH) -> str:
    """The entries as a table of at most `width` columns; a long text goes on below itself."""
    lines = fold(entries)
    times = [_time(line.at_us) for line in lines]
    speakers = [shorten(_who(line), _WIDEST_WHO) for line in lines]
    time_width = max(map(cells, ["time s", *times]))
    who_width = max(map(cells, ["who", *speakers]))
    before_what = 1 + time_width + 2 + who_width + 2 + 3
    room = max(width - before_what, _NARROWEST_WHAT)
    table = [f" {pad('time s', time_width)}  {pad('who', who_width)}     what"]
    for line, time, who in zip(lines, times, speakers, strict=True):
        start = f" {' ' * (time_width - len(time))}{time}  {pad(who, who_width)}  {pad(_symbol(line), 3)}"
        first, *more = _what(line, room)
        table.append((start + first).rstrip())
        table.extend(" " * before_what + text for text in more)
    return "\n".join(table) + "\n"


def _foldable(entry: Entry) -> bool:
    return bool(entry.fold) and entry.mark == "none"


def _time(at_us: int | None) -> str:
    return "" if at_us is None else seconds(at_us)


def _who(line: Entry | Folded) -> str:
    if isinstance(line, Folded):
        return ""
    if line.mark == "violation":
        return f"{SYMBOLS['violation']} {clean(line.who)}"
    return clean(f"{line.who} → {line.to}" if line.to else line.who)


def _symbol(line: Entry | Folded) -> str:
    if isinstance(line, Folded) or line.mark == "violation":
        return ""
    return SYMBOLS[line.mark]


def _what(line: Entry | Folded, room: int) -> list[str]:
    note = f"← {clean(line.note)}" if isinstance(line, Entry) and line.note else ""
    what = wrap(clean(line.what), room)
    if not note:
        return what
    if cells(what[-1]) + 5 + cells(note) <= room:
        return [*what[:-1], f"{what[-1]}     {note}"]
    return what + wrap(note, room)
