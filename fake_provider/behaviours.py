"""Misbehaviour on order: the registry of what the provider can do wrong, and the script that says when.

A `Behaviour` names one misbehaviour and the request or callback it hits: by operation, entity and n-th attempt.
The `Script` counts what matches and answers with the behaviours that fire. What firing means is the business of
`Provider` (requests) and `Outbox` (callbacks). A misbehaviour is added by one line in `MISBEHAVIOURS` and one
branch where it bites.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fake_provider.errors import BehaviourError

Value = int | str | bool


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """One entry of the registry. on: `request` or `callback`; parameters: name to default."""

    name: str
    on: str
    meaning: str
    parameters: Mapping[str, Value] = field(default_factory=dict)


_SECOND = 1_000_000
_Table = tuple[tuple[str, str, dict[str, Value]], ...]
_REQUEST: _Table = (
    ("decline", "the card is declined", {"code": "card_declined", "decline_code": "generic_decline"}),
    ("require_action", "the payment asks for authentication (3-D Secure) first", {}),
    (
        "settle_later",
        "the payment is `processing` and settles later",
        {"delay_us": 60 * _SECOND, "outcome": "succeeded"},
    ),
    ("refund_pending", "the refund is pending and succeeds later", {"delay_us": 3600 * _SECOND}),
    ("refund_failed", "the refund succeeds at first and fails later", {"delay_us": 3600 * _SECOND}),
    ("timeout_before", "nothing is executed and no answer ever comes", {}),
    ("timeout_after", "the request is executed and stored, but no answer ever comes", {}),
    ("drop_before", "the connection is closed before anything is executed", {}),
    ("drop_after", "the request is executed and stored, then the connection is closed without an answer", {}),
    ("truncated", "the request is executed and stored, then the answer is cut short", {"bytes": 40}),
    ("error_before", "5xx, nothing is executed and nothing stored", {"status": 503, "html": False}),
    ("error_after", "5xx although the request was executed; the 5xx is what is stored", {"status": 500}),
    (
        "error_rolled_back",
        "5xx; the effect is visible for a while, then undone",
        {"status": 500, "delay_us": 30 * _SECOND},
    ),
    ("error_rolled_forward", "5xx; the effect happens only later", {"status": 500, "delay_us": 30 * _SECOND}),
    (
        "unstored",
        "the request is executed, the key is lost and the connection is closed: a retry executes again",
        {},
    ),
    ("forget_key", "the key is removed before the request is looked at, as after its lifetime", {}),
    ("rate_limited", "429 before the key is looked at", {"reason": "global-rate", "should_retry": ""}),
    ("lock_timeout", "429 lock_timeout, to be retried", {}),
    ("key_in_use", "409, as if another request with this key were being executed", {}),
    ("slow", "executed and stored at once, answered late", {"delay_us": 5 * _SECOND}),
    (
        "slow_execute",
        "executed late; until then the key is in flight and the object locked",
        {"delay_us": 5 * _SECOND},
    ),
    (
        "slow_store",
        "executed at once, stored and answered late: until then the key is in flight",
        {"delay_us": 5 * _SECOND},
    ),
)
_CALLBACK: _Table = (
    ("callback_early", "sent before the API's own answer, which is held back", {"delay_us": 200_000}),
    ("callback_late", "sent late", {"delay_us": 60 * _SECOND}),
    ("callback_dropped", "the first attempts are lost, a retry arrives", {"attempts": 1}),
    ("callback_lost", "never sent, and not retried", {}),
    ("callback_duplicated", "sent more than once", {"copies": 1, "gap_us": 0, "new_id": False}),
    (
        "callback_held",
        "held until an event of type `until` about the same payment was delivered, or `delay_us` passed",
        {"until": "", "delay_us": 600 * _SECOND},
    ),
    (
        "callback_reordered",
        "held until the next event to the same endpoint was delivered, or `delay_us` passed",
        {"delay_us": 60 * _SECOND},
    ),
    (
        "callback_stale",
        "afterwards an older event about the same object is sent again",
        {"delay_us": _SECOND, "new_id": False},
    ),
    ("callback_old_snapshot", "carries the object as it was one event earlier", {}),
    (
        "callback_forged",
        "beside it, a stranger posts one of type `type` about the same object, signed with another secret",
        {"type": "payment_intent.succeeded", "delay_us": 0},
    ),
    ("signature_stale", "signed with a time in the past", {"age_s": 3600}),
    ("signature_forged", "signed with another secret", {}),
    ("signature_missing", "carries no signature", {}),
    (
        "signature_replayed",
        "sent again later, with the body and signature of the first time",
        {"delay_us": 600 * _SECOND},
    ),
)
MISBEHAVIOURS: dict[str, Misbehaviour] = {
    name: Misbehaviour(name, on, meaning, parameters)
    for on, table in (("request", _REQUEST), ("callback", _CALLBACK))
    for name, meaning, parameters in table
}
# `count`: how many matches in a row it hits, from the n-th `attempt` on. Every misbehaviour has it.
_COUNT = {"count": 1}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Do `name` to the `attempt`-th request or callback (from 1) that matches `operation` and `entity`.

    operation: for requests `POST /v1/payment_intents` or `POST /v1/payment_intents/{id}/confirm` (`*` may
    stand for the id, and
        alone for everything); for callbacks an event type, `charge.*` or `*`.
    entity: an object id or a metadata value that the request or the event's object mentions; None matches
    all.
    parameters: what `MISBEHAVIOURS[name]` lists, and `count`: how many matches in a row are hit (1). `_us`
    are microseconds.
    """

    name: str
    operation: str = "*"
    entity: str | None = None
    attempt: int = 1
    parameters: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        known = MISBEHAVIOURS.get(self.name)
        if known is None:
            close = difflib.get_close_matches(self.name, MISBEHAVIOURS, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise BehaviourError(
                f"behaviour '{self.name}' does not exist.{hint} `python -m fake_provider faults` lists them all."
            )
        if type(self.attempt) is not int or self.attempt < 1:
            raise BehaviourError(f"behaviour '{self.name}': attempt is {self.attempt!r}; it counts from 1.")
        if type(self.operation) is not str or not self.operation:
            raise BehaviourError(
                f"behaviour '{self.name}': operation is {self.operation!r}; give a text, or '*' for all."
            )
        if (" " in self.operation) is (known.on == "callback") and self.operation != "*":
            wanted = "'POST /v1/refunds'" if known.on == "request" else "'payment_intent.succeeded'"
            raise BehaviourError(
                f"behaviour '{self.name}' works on a {known.on}: operation '{self.operation}' must look like "
                f"{wanted}."
            )
        for name, value in self.parameters.items():
            self._check_parameter(name, value, {**known.parameters, **_COUNT})

    def _check_parameter(self, name: str, value: Value, known: Mapping[str, Value]) -> None:
        if name not in known:
            raise BehaviourError(
                f"behaviour '{self.name}' has no parameter '{name}'; it has: {', '.join(sorted(known))}."
            )
        if type(value) is not type(known[name]) or (isinstance(value, int) and value < 0):
            rule = {bool: "true or false", int: "a whole number, 0 or more", str: "a text"}[type(known[name])]
            raise BehaviourError(
                f"behaviour '{self.name}': parameter '{name}' is {value!r}; it must be {rule}."
            )

    def parameter(self, name: str) -> Any:
        """The given value of a parameter, or its default."""
        return self.parameters.get(name, MISBEHAVIOURS[self.name].parameters.get(name, _COUNT.get(name)))

    def to_json(self) -> dict[str, Any]:
        """A plain mapping; `from_json` is its inverse."""
        return {
            "name": self.name,
            "operation": self.operation,
            "entity": self.entity,
            "attempt": self.attempt,
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_json(cls, data: Any) -> "Behaviour":
        """A behaviour from a plain mapping; raises `BehaviourError` naming what is wrong."""
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise BehaviourError(f"a behaviour is {str(data)[:80]!r}; it must be an object with a 'name'.")
        unknown = sorted(set(data) - {"name", "operation", "entity", "attempt", "parameters"})
        if unknown:
            raise BehaviourError(
                f"behaviour '{data['name']}' has no member '{unknown[0]}'; it has: name, operation, entity, "
                "attempt, parameters."
            )
        entity, parameters = data.get("entity"), data.get("parameters", {})
        if not (entity is None or isinstance(entity, str)) or not isinstance(parameters, dict):
            raise BehaviourError(
                f"behaviour '{data['name']}': entity must be a text or null, parameters an object."
            )
        return cls(data["name"], data.get("operation", "*"), entity, data.get("attempt", 1), parameters)


Fired = dict[str, Behaviour]
NOTHING: Fired = {}


class Script:
    """The behaviours in force and how often each has matched."""

    def __init__(self, behaviours: Iterable[Behaviour] = ()) -> None:
        self._request: list[_Watch] = []
        self._callback: list[_Watch] = []
        for behaviour in behaviours:
            self.add(behaviour)

    def add(self, behaviour: Behaviour) -> None:
        """Adds one; it counts from now on."""
        on_request = MISBEHAVIOURS[behaviour.name].on == "request"
        (self._request if on_request else self._callback).append(_Watch(behaviour))

    def clear(self) -> None:
        """Forgets them all."""
        self._request.clear()
        self._callback.clear()

    def behaviours(self) -> list[tuple[Behaviour, int]]:
        """Every behaviour with the number of times it fired."""
        return [(watch.behaviour, watch.fired) for watch in self._request + self._callback]

    def on_request(self, operation: str, entities: frozenset[str]) -> Fired:
        """The behaviours that fire for a request, by name."""
        return _fire(self._request, operation, entities)

    def on_callback(self, event_type: str, entities: frozenset[str]) -> Fired:
        """The behaviours that fire for an event, by name."""
        return _fire(self._callback, event_type, entities)

    @property
    def watches_requests(self) -> bool:
        return bool(self._request)

    @property
    def watches_callbacks(self) -> bool:
        return bool(self._callback)


class _Watch:
    """One behaviour and its counts."""

    __slots__ = ("_pattern", "behaviour", "fired", "seen")

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._pattern = _segments(behaviour.operation)
        self.seen = 0
        self.fired = 0

    def matches(self, operation: str, entities: frozenset[str]) -> bool:
        """Whether a request's operation, or an event's type, is one of those it waits for."""
        wanted, entity = self.behaviour.operation, self.behaviour.entity
        if entity is not None and entity not in entities:
            return False
        if wanted in ("*", operation):
            return True
        if " " not in wanted:
            return wanted.endswith(".*") and operation.startswith(wanted[:-1])
        found = _segments(operation)
        return len(found) == len(self._pattern) and all(
            part in ("*", other) for part, other in zip(self._pattern, found, strict=True)
        )


def _segments(operation: str) -> list[str]:
    """A request's operation cut at `/`; `{id}`, `:id` and `*` all mean any segment."""
    return ["*" if part[:1] in ("{", ":") else part for part in operation.split("/")]


def _fire(watches: list[_Watch], operation: str, entities: frozenset[str]) -> Fired:
    fired: Fired = {}
    for watch in watches:
        if not watch.matches(operation, entities):
            continue
        watch.seen += 1
        first = watch.behaviour.attempt
        if first <= watch.seen < first + watch.behaviour.parameter("count"):
            watch.fired += 1
            fired.setdefault(watch.behaviour.name, watch.behaviour)
    return fired
