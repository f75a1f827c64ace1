"""One simulated connection: two lanes, each FIFO, between a client's end and a server's end.

A lane carries packets: the opening, whole messages, and the end. Who sits at an end is an `Endpoint`: a guest's
transport, a waiting customer, or a service of ours.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from harness.names import MessageName
from harness.wire import Conversation, Frame

if TYPE_CHECKING:
    from harness.sim.network import Network
    from harness.sim.node import Node

PacketKind = Literal["open", "message", "end", "reset"]


class Endpoint(Protocol):
    """Receives what a lane delivers."""

    def opened(self) -> None:
        """Client's end only: the server accepted."""

    def received(self, data: bytes, frame: Frame | None) -> None:
        """Bytes in order. `frame` is the whole message when they are exactly one."""

    def ended(self, reset: bool) -> None:
        """The peer closed (False) or broke (True) the connection, or refused it (True before `opened`)."""


@dataclass(slots=True)
class Packet:
    """What travels. `frame` is set when `data` is one whole message; `name` only with a message."""

    kind: PacketKind
    order: int
    sent_us: int
    arrival_us: int
    data: bytes = b""
    name: MessageName | None = None
    frame: Frame | None = None


class Lane:
    """One direction of a connection. `silent`: packets vanish from now on. `held`: waits for a constraint."""

    __slots__ = (
        "connection",
        "endpoint",
        "held",
        "node",
        "packets",
        "queued",
        "sender",
        "silent",
        "to_server",
    )

    def __init__(self, connection: Connection, node: Node, sender: Node, to_server: bool) -> None:
        self.connection = connection
        self.node = node
        self.sender = sender
        self.to_server = to_server
        self.endpoint: Endpoint | None = None
        self.packets: deque[Packet] = deque()
        self.silent = False
        self.held = False
        self.queued = False


class Connection:
    """A connection from a client node to a server node. `pending`: requests that still lack their answer."""

    def __init__(
        self,
        network: Network,
        client: Node,
        server: Node,
        port: int,
        conversation: Conversation,
        protocol: str,
    ) -> None:
        self.network = network
        self.client = client
        self.server = server
        self.port = port
        self.conversation = conversation
        self.protocol = protocol
        self.pending: deque[MessageName] = deque()
        self.to_server = Lane(self, server, client, True)
        self.to_client = Lane(self, client, server, False)
        self.is_open = False
        self.is_dead = False

    @property
    def link(self) -> str:
        return f"{self.client.name}>{self.server.service_name}"

    def send_request_bytes(self, data: bytes) -> None:
        """The client writes: every message that is complete now is named and sent."""
        for frame in self.conversation.from_client(data):
            name = self.network.names.name(self.client.name, self.server.service_name, frame.kind)
            if frame.answered:
                self.pending.append(name)
            self.network.send(self.to_server, name, frame)

    def send_reply_bytes(self, data: bytes) -> None:
        """A guest server writes: answers are cut and matched to the oldest pending request."""
        for frame in self.conversation.from_server(data):
            self.send_reply(frame)

    def send_reply(self, frame: Frame) -> None:
        """One whole answer or push."""
        if frame.push or not self.pending:
            name = self.network.names.name(self.server.service_name, self.client.name, frame.kind)
        else:
            name = self.pending.popleft().reply
        self.network.send(self.to_client, name, frame)

    def close(self, from_client: bool, reset: bool = False) -> None:
        """One end closes: what it sent before still arrives, then the peer learns of it."""
        lane = self.to_server if from_client else self.to_client
        self.network.send_end(lane, reset)
