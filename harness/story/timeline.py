"""Tells a run: its events, row changes and exports become the entries of a timeline that a person reads in a
minute.

Each named message is told once, when it is delivered, by its request and a word of its answer; an answer has
a line of its own only when something happened to it. Messages in a row from one node to another become one
line. A node's poll, which asks the same again and again and hears the same, is marked for folding.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from harness.fault import Fault
from harness.history import Event
from harness.names import MessageName, is_name, parse_name
from harness.run import Run
from harness.story.glimpse import answer_in_words, body_of, key_of, request_in_words
from harness.story.words import fault_line
from results.text import count, seconds
from results.timeline import Entry, Mark

POLLS_FROM = 6
"""A kind that one node sends this often on one link, to hear the same, is its poll."""

AFTERMATH_LINES = 6
"""So many lines are told of what came after the last violation."""

QUIET_KINDS = {"started", "ready", "outcome"}
FAULT_KINDS = {"crashed", "down", "refused", "expired", "evicted", "exited", "unhandled"}
PREPARING = ("PREPARE ", "STARTUP", "BEGIN", "CLOSE ", "DEALLOCATE", "DISCARD", "RESET")
"""What a database driver says before it says something."""


def timeline_of(run: Run) -> list[Entry]:
    """The entries in order of time, with the violations at the moments when they were first seen."""
    teller = _Teller(run)
    entries = [entry for event in run.events if (entry := teller.entry(event)) is not None]
    entries = _joined(sorted([*entries, *_recorded(run)], key=lambda entry: entry.at_us or 0))
    if not run.violations:
        return entries
    for violation in sorted(run.violations, key=lambda violation: violation.at_us):
        mark = Entry(violation.at_us, violation.invariant, violation.sentence, mark="violation")
        entries.insert(_place(entries, violation.at_us), mark)
    return _cut(entries, max(violation.at_us for violation in run.violations))


def _place(entries: list[Entry], at_us: int) -> int:
    return sum(1 for entry in entries if entry.at_us is not None and entry.at_us <= at_us)


def _cut(entries: list[Entry], at_us: int) -> list[Entry]:
    """Without most of what happened after the last violation."""
    end = _place(entries, at_us) + AFTERMATH_LINES
    rest = entries[end:]
    if len(rest) <= 1:
        return entries
    last_us = rest[-1].at_us or at_us
    more = f"… {count(len(rest), 'more line')} until the run ended at {seconds(last_us)} s"
    return [*entries[:end], Entry(None, "", more)]


class _Teller:
    """Makes entries of one run's events, in order."""

    def __init__(self, run: Run) -> None:
        self._contents = run.contents
        self._faults = run.plan.faults
        self._struck = {fault.at for fault in run.plan.faults}
        self._protocols = {delivery.name.link: delivery.protocol for delivery in run.deliveries}
        self._polls = self._find_polls(run.events)
        self._last: dict[tuple[str, str], tuple[str, str]] = {}

    def entry(self, event: Event) -> Entry | None:
        """One event as a line; None when it says nothing by itself."""
        if event.kind == "fault":
            return self._injected(event)
        if not is_name(event.what):
            return self._of_node(event)
        name = parse_name(event.what)
        if event.kind == "delivered":
            return self._delivered(event, name)
        if event.kind == "lost" and event.what in self._struck:
            return None
        words = {"held": "held back", "unreachable": "finds nobody"}.get(event.kind, event.kind)
        mark: Mark = "held" if event.kind == "held" else "fault"
        return Entry(event.at_us, name.sender, f"{_message(name)} {words}", to=name.receiver, mark=mark)

    def _injected(self, event: Event) -> Entry:
        """A fault of the plan as it strikes, between the two nodes of its message when it has one."""
        struck = next((one for one in self._faults if (one.kind, one.at) == (event.who, event.what)), None)
        what = fault_line(struck).what if struck else event.who
        if not is_name(event.what) or (struck and _is_of_node(struck)):
            return Entry(event.at_us, "fault", what, mark="fault")
        name = parse_name(event.what)
        return Entry(event.at_us, name.sender, f"{what}: {_message(name)}", to=name.receiver, mark="fault")

    def _of_node(self, event: Event) -> Entry | None:
        """What a node did by itself. A customer's outcome is told when it is not an answer: nobody sent it."""
        if event.kind == "outcome" and event.detail.startswith("unknown None"):
            return Entry(event.at_us, event.who, f"gets no answer to {event.what}", mark="fault")
        if event.kind == "healed":
            return Entry(event.at_us, "world", "faults end") if self._faults else None
        if event.kind in QUIET_KINDS:
            return None
        verb = event.what if event.kind == "noted" else f"{event.kind} {event.what}"
        words = f"{verb.replace('_', ' ').strip()} {event.detail}".strip()
        return Entry(event.at_us, event.who, words, mark="fault" if event.kind in FAULT_KINDS else "none")

    def _delivered(self, event: Event, name: MessageName) -> Entry | None:
        """A request with a word of its answer; an answer itself only when a fault was about it, or to a
        customer.
        """
        is_struck = event.what in self._struck
        protocol = self._protocols.get(name.link, "")
        if name.is_reply:
            if not is_struck:
                return None
            return Entry(event.at_us, name.sender, _message(name), to=name.receiver, mark="fault")
        if name.kind.startswith(PREPARING) and not is_struck:
            return None
        text, answer = (self._contents.get(str(leg), "") for leg in (name, name.reply))
        what = request_in_words(name.kind, protocol, text)
        heard = answer_in_words(protocol, answer)
        fold = f"{name.source}'s {name.kind}" if self._is_poll(name) and not is_struck else ""
        note = self._difference(name, text)
        what = f"{what} ({heard})" if heard else what
        return Entry(event.at_us, name.sender, what, to=name.receiver, note=note, fold=fold)

    def _difference(self, name: MessageName, text: str) -> str:
        """What is suspicious about a request that was sent before: the same body under another key."""
        said = key_of(text), body_of(text)
        before = self._last.get((name.destination, name.kind))
        self._last[name.destination, name.kind] = said
        if before is None or not said[0] or before[1] != said[1] or not said[1]:
            return ""
        return "another key" if before[0] != said[0] else "the same key"

    def _find_polls(self, events: Iterable[Event]) -> dict[tuple[str, str], str]:
        """Link and kind of what is asked again and again, to what is answered most often."""
        answers: dict[tuple[str, str], Counter[str]] = {}
        for event in events:
            if event.kind == "delivered" and is_name(event.what):
                name = parse_name(event.what)
                if not name.is_reply:
                    heard = self._contents.get(str(name.reply), "")
                    answers.setdefault((name.link, name.kind), Counter())[heard] += 1
        usual = {key: heard.most_common(1)[0] for key, heard in answers.items()}
        return {key: answer for key, (answer, times) in usual.items() if times >= POLLS_FROM}

    def _is_poll(self, name: MessageName) -> bool:
        usual = self._polls.get((name.link, name.kind))
        return usual is not None and usual == self._contents.get(str(name.reply), "")


def _is_of_node(fault: Fault) -> bool:
    return fault.definition.anchor == "moment"


def _message(name: MessageName) -> str:
    return f"{'the answer to ' if name.is_reply else ''}{name.kind}#{name.number}"


def _recorded(run: Run) -> list[Entry]:
    """What the dependencies wrote into their own books, at the moment when they did."""
    from harness.sim.clock import START_US

    entries = []
    for node, records in run.exports.items():
        for record in records:
            at_us = record.get("at_us")
            if isinstance(at_us, int) and 0 <= at_us - START_US <= run.virtual_us:
                entries.append(Entry(at_us - START_US, node, record_in_words(record)))
    return entries


def record_in_words(record: Mapping[str, object]) -> str:
    """The short words and numbers of a record, each once: ``charge ch_1 pi_1 4200 eur succeeded``."""
    words = [
        str(value)
        for name, value in record.items()
        if not name.endswith(("_us", "key")) and isinstance(value, str | int) and 0 < len(str(value)) <= 16
    ]
    return " ".join(list(dict.fromkeys(words))[:6])


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
