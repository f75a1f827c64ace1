"""Protocol readers shared by both worlds: they cut byte streams into messages and read each message's kind.

A world (the simulated network, or the live gate) makes one `Conversation` per connection, feeds it both
directions and gets `Frame`s back. A reader never answers, never changes a byte and keeps no clock: what it
returns, joined, is exactly what it was fed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class WireError(Exception):
    """The bytes are not of the protocol that the link is declared to speak."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole message of a conversation.

    kind: what it asks, read from the protocol and free of ids: ``POST /checkout``, ``UPDATE orders``, ``SET corr:*``.
        A reply carries the kind of the request that it answers.
    data: exactly the bytes of this message, in wire order.
    answered: for a request, whether the protocol owes it a reply; a reply or a push is never answered.
    push: the server sent it unasked (a Redis pub/sub message, a PostgreSQL notification).
    """

    kind: str
    data: bytes
    answered: bool = True
    push: bool = False


class Conversation(Protocol):
    """Reads both directions of one connection. Raises `WireError` on bytes that are not of the protocol."""

    def from_client(self, data: bytes) -> list[Frame]:
        """The requests completed by `data`; an incomplete rest is kept."""

    def from_server(self, data: bytes) -> list[Frame]:
        """The replies and pushes completed by `data`; an incomplete rest is kept."""


NewConversation = Callable[[], Conversation]
