"""Faults: small frozen records of one injected cause, and the registry of their kinds.

A fault says what happens to the business, not to the bytes. It is anchored to a message name (`at`), or to a
moment (``@1250000``, microseconds after the start of the run). A new kind is one entry here and one function in
each world that supports it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.errors import UsageError, unknown_name
from harness.names import is_name, parse_name

Anchor = Literal["request", "reply", "message", "moment", "operation", "callback"]
"""What `at` may name: one leg, either leg, either leg or a time, or a request to or from a dependency."""

Value = int | str | bool
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a kind means and takes.

    parameters: name to default; a fault may set these and no others. Names ending in ``_us`` are microseconds.
    protocols: the link protocols it makes sense on (empty: every one).
    undo: the kind or mechanism that ends it, for the reader.
    """

    name: str
    meaning: str
    anchor: Anchor
    parameters: Mapping[str, Value] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    undo: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned fault. `parameters` holds only what differs from the kind's defaults, sorted by name."""

    kind: str
    at: str
    parameters: tuple[tuple[str, Value], ...] = ()

    @property
    def definition(self) -> FaultKind:
        return kind_named(self.kind)

    def value(self, parameter: str) -> Value:
        return dict(self.parameters).get(parameter, self.definition.parameters[parameter])

    def number(self, parameter: str) -> int:
        return int(self.value(parameter))

    def text(self, parameter: str) -> str:
        return str(self.value(parameter))

    def describe(self) -> str:
        """One line for a person: the kind in words, the anchor, and what was set."""
        extras = "".join(f" {name}={value}" for name, value in self.parameters)
        return f"{self.kind}   {self.at}{extras}"

    def to_json(self) -> dict[str, Any]:
        return {"fault": self.kind, "at": self.at, **dict(self.parameters)}


def fault(kind: str, at: str, **parameters: Value) -> Fault:
    """A validated fault. Raises UsageError on an unknown kind, anchor or parameter."""
    definition = kind_named(kind)
    for name, value in parameters.items():
        if name not in definition.parameters:
            known = ", ".join(definition.parameters) or "none"
            raise UsageError(f"fault {kind!r} has no parameter {name!r}; it takes: {known}.")
        expected = type(definition.parameters[name])
        if type(value) is not expected:
            raise UsageError(f"fault {kind!r} has {name}={value!r}; it must be {expected.__name__}.")
        if isinstance(value, int) and value < 0:
            raise UsageError(f"fault {kind!r} has {name}={value}; it must not be negative.")
    _check_anchor(definition, at)
    kept = {name: value for name, value in parameters.items() if value != definition.parameters[name]}
    return Fault(kind, at, tuple(sorted(kept.items())))


def fault_from_json(document: Mapping[str, Any]) -> Fault:
    rest = {name: value for name, value in document.items() if name not in ("fault", "at")}
    try:
        kind, at = document["fault"], document["at"]
    except KeyError as missing:
        raise UsageError(f"fault {dict(document)!r} lacks {missing}; each needs 'fault' and 'at'.") from None
    return fault(str(kind), str(at), **rest)


def _check_anchor(definition: FaultKind, at: str) -> None:
    if definition.anchor == "moment" and at.startswith("@") and at[1:].isdigit():
        return
    if not is_name(at):
        parse_name(at)
    is_reply = at.endswith(".reply")
    if definition.anchor in ("request", "operation", "callback") and is_reply:
        raise UsageError(
            f"fault {definition.name!r} is anchored to a request; {at!r} is a reply: drop '.reply'."
        )
    if definition.anchor == "reply" and not is_reply:
        raise UsageError(
            f"fault {definition.name!r} is anchored to a reply; {at!r} is a request: add '.reply'."
        )


_DELAY: Mapping[str, Value] = {"delay_us": 10 * SECOND_US}
_OUTAGE: Mapping[str, Value] = {"duration_us": 2 * SECOND_US}
_NODE: Mapping[str, Value] = {"node": "", "duration_us": 2 * SECOND_US}
_KEYS: Mapping[str, Value] = {"node": "redis", "keys": "*"}

_KINDS: dict[str, FaultKind] = {}


def register(kinds: Iterable[FaultKind]) -> None:
    """Adds kinds (a dependency brings its own). Registering the same definition again does nothing."""
    for kind in kinds:
        if _KINDS.setdefault(kind.name, kind) != kind:
            raise UsageError(f"fault kind {kind.name!r} is defined twice; give one of them another name.")


def kind_named(name: str) -> FaultKind:
    if name not in _KINDS:
        raise unknown_name("fault", name, _KINDS, "paychaos list faults")
    return _KINDS[name]


def all_kinds() -> list[FaultKind]:
    return list(_KINDS.values())


register(
    [
        FaultKind("lost_request", "the request never arrives; the caller waits", "request"),
        FaultKind("lost_reply", "the request is applied, its answer is lost", "reply"),
        FaultKind("late_request", "the request is applied after the caller gave up", "request", _DELAY),
        FaultKind("late_reply", "the request is applied at once, its answer comes late", "reply", _DELAY),
        FaultKind("hang", "from this message on the connection is silent both ways", "message"),
        FaultKind("slow", "the message trickles in over a time", "message", {"duration_us": SECOND_US}),
        FaultKind(
            "refused", "the connection is refused, and new ones for a time", "request", _OUTAGE, undo="time"
        ),
        FaultKind("reset", "the connection is reset; a reply's request was applied", "message"),
        FaultKind("partial", "half of the message arrives, then the connection ends", "message"),
        FaultKind(
            "duplicate",
            "the request is delivered again, at once or later",
            "request",
            {"delay_us": 0},
            protocols=("http",),
        ),
        FaultKind(
            "partition",
            "nothing passes between the two nodes, either way",
            "moment",
            {"a": "", "b": "", "duration_us": 2 * SECOND_US},
            undo="heal",
        ),
        FaultKind(
            "latency",
            "every message of the link takes longer",
            "moment",
            {"link": "", "delay_us": SECOND_US // 5, "duration_us": 5 * SECOND_US},
            undo="time",
        ),
        FaultKind(
            "bandwidth",
            "the link carries few bytes a second",
            "moment",
            {"link": "", "bytes_per_second": 1_000, "duration_us": 5 * SECOND_US},
            undo="time",
        ),
        FaultKind("crash", "power cut of a process: no `finally` runs", "moment", _NODE, undo="restart"),
        FaultKind("pause", "a process stops running, its connections stay", "moment", _NODE, undo="resume"),
        FaultKind(
            "skew",
            "a process's clock is ahead",
            "moment",
            {"node": "", "ahead_us": 60 * SECOND_US, "duration_us": 30 * SECOND_US},
            undo="time",
        ),
        FaultKind("expire", "matching keys of a store expire now", "moment", _KEYS, protocols=("resp",)),
        FaultKind(
            "evict",
            "matching keys of a store are evicted for want of memory",
            "moment",
            _KEYS,
            protocols=("resp",),
        ),
        FaultKind("flush", "a store loses everything", "moment", {"node": "redis"}, protocols=("resp",)),
        FaultKind(
            "down",
            "a store is down for a time; what was committed stays",
            "moment",
            {"node": "redis", "duration_us": 2 * SECOND_US},
            undo="up",
        ),
    ]
)
