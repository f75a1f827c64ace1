"""Message names: ``api>provider POST /v1/payment_intents#2.reply``.

A name is link, kind, occurrence and leg. It is read from the protocol, so it survives edits of the target and
is the same in both worlds. A reply carries its request's link, kind and number.
"""

import re
from dataclasses import dataclass

from harness.errors import UsageError

_NAME = re.compile(
    r"(?P<source>[\w.-]+)>(?P<destination>[\w.-]+) (?P<kind>.+)#(?P<number>\d+)(?P<leg>\.reply)?"
)


@dataclass(frozen=True, slots=True)
class MessageName:
    """A parsed name. `link` is ``source>destination`` of the request, for both legs."""

    source: str
    destination: str
    kind: str
    number: int
    is_reply: bool = False

    @property
    def link(self) -> str:
        return f"{self.source}>{self.destination}"

    @property
    def receiver(self) -> str:
        """The node that this leg is delivered to."""
        return self.source if self.is_reply else self.destination

    @property
    def sender(self) -> str:
        return self.destination if self.is_reply else self.source

    @property
    def reply(self) -> "MessageName":
        return MessageName(self.source, self.destination, self.kind, self.number, True)

    def __str__(self) -> str:
        return f"{self.link} {self.kind}#{self.number}{'.reply' if self.is_reply else ''}"


def parse_name(text: str) -> MessageName:
    """Raises UsageError on a text that is not a message name."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not a message name; one reads 'source>destination KIND#NUMBER' with '.reply' for the answer,"
            " for example 'api>postgres COMMIT#1.reply'."
        )
    return MessageName(
        match["source"], match["destination"], match["kind"], int(match["number"]), match["leg"] is not None
    )


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


class NameBook:
    """Numbers the messages of one run: the n-th of its kind on its link."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}

    def name(self, source: str, destination: str, kind: str) -> MessageName:
        key = (source, destination, kind)
        number = self._counts.get(key, 0) + 1
        self._counts[key] = number
        return MessageName(source, destination, kind, number)
