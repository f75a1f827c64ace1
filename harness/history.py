"""The History of a run: append-only events with integer microseconds, and a digest over all of them.

Two executions of one plan are the same exactly when their digests are; `first_difference` shows where two
Histories part.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.names import MessageName


class Event(NamedTuple):
    """One thing that happened.

    at_us: virtual microseconds since the start of the run.
    kind: ``sent``, ``delivered``, ``held``, ``released``, ``fault``, ``outcome``, ``crashed``, ``noted`` and so on.
    who: the node that it happened to.
    what: a message name, or words.
    detail: more, as text.
    """

    at_us: int
    kind: str
    who: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the run delivered it, in delivery order.

    name: its full name. protocol: of its link. sent_us, at_us: when it was sent and delivered.
    """

    name: MessageName
    protocol: str
    sent_us: int
    at_us: int


class History:
    """Append-only. The digest covers every field of every event, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.deliveries: list[Delivery] = []
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, event: Event) -> None:
        self.events.append(event)
        self._hash.update(
            f"{event.at_us}\x1f{event.kind}\x1f{event.who}\x1f{event.what}\x1f{event.detail}\x1e".encode()
        )

    def cover(self, data: bytes) -> None:
        """Puts bytes under the digest without an event of their own (the content of a message)."""
        self._hash.update(data)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def first_difference(one: Sequence[Any], other: Sequence[Any]) -> tuple[int, Any, Any] | None:
    """The index and both events where two sequences first differ; None when they are equal."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if tuple(left) != tuple(right):
            return index, left, right
    if len(one) == len(other):
        return None
    index = min(len(one), len(other))
    left, right = (events[index] if index < len(events) else None for events in (one, other))
    return index, left, right
