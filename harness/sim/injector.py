"""Strikes a plan's faults in the simulated world: at a message's sending, before its delivery, or at a moment.

Message faults change the packet that is being sent. The others are anchored to a delivery or a time and act on
nodes, links and stores. Each has one method here, named as the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from harness.errors import UsageError
from harness.fault import Fault
from harness.sim.connection import Lane, Packet, PacketKind
from harness.sim.network import Network
from harness.sim.node import Node
from harness.sim.process import ProcessNode
from harness.wire import Frame

PIECES = 10
"""A slow message arrives in this many pieces."""


class Store(Protocol):
    """What a store node can be told (see harness.sim.redis)."""

    def expire(self, pattern: str) -> list[str]: ...
    def evict(self, pattern: str) -> list[str]: ...
    def flush(self) -> None: ...


class Injector:
    """Arms a network with faults. `hits[i]` tells whether the i-th fault was really injected."""

    def __init__(self, network: Network, faults: Sequence[Fault], stores: dict[str, Store]) -> None:
        self._network = network
        self._stores = stores
        self.faults = faults
        self.hits = [False] * len(faults)
        self._at_sending: dict[str, list[int]] = {}
        self._at_delivery: dict[str, list[int]] = {}
        self._silent: list[Lane] = []
        self._cuts: list[tuple[str, str]] = []
        self._refusing: dict[str, int] = {}
        self._latencies: dict[str, int] = {}
        self._bandwidths: dict[str, int] = {}
        self._healed = False
        for index, fault in enumerate(faults):
            self._arm(index, fault)
        if faults:
            network.on_send = self._sending
            network.before_delivery = self._before_delivery
            network.is_cut = self._is_cut
            network.extra_latency = self._extra_latency
            network.is_refusing = self._is_refusing

    def _arm(self, index: int, fault: Fault) -> None:
        anchor = fault.definition.anchor
        if anchor in ("operation", "callback"):
            return  # the dependency itself misbehaves
        if anchor != "moment":
            self._at_sending.setdefault(fault.at, []).append(index)
        elif not fault.at.startswith("@"):
            self._at_delivery.setdefault(fault.at, []).append(index)

    def start(self) -> None:
        """The workload begins: faults at moments count from here."""
        for index, fault in enumerate(self.faults):
            if fault.at.startswith("@"):
                self._network.agenda.call_later(int(fault.at[1:]), partial(self._strike, index))

    # When a fault's time has come

    def _hit(self, index: int) -> None:
        self.hits[index] = True
        fault = self.faults[index]
        self._network.record("fault", fault.kind, fault.at, " ".join(f"{k}={v}" for k, v in fault.parameters))

    def _sending(self, lane: Lane, packet: Packet) -> bool:
        """Lets message faults change a packet; False when it does not travel (any more)."""
        if self._healed or packet.name is None:
            return True
        for index in self._at_sending.get(str(packet.name), ()):
            fault = self.faults[index]
            protocols = fault.definition.protocols
            if protocols and lane.connection.protocol not in protocols:
                continue
            self._hit(index)
            if not getattr(self, fault.kind)(fault, lane, packet):
                return False
        return True

    def _before_delivery(self, name: str) -> None:
        for index in self._at_delivery.get(name, ()):
            self._strike(index)

    def _strike(self, index: int) -> None:
        if not self._healed and not self.hits[index]:
            fault = self.faults[index]
            self._hit(index)
            getattr(self, fault.kind)(fault)

    # Faults on a message: True when the packet still travels as it is

    def lost_request(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        return self._silence(lane)

    def lost_reply(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        return self._silence(lane)

    def late_request(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        packet.arrival_us = self._network.agenda.now_us + fault.number("delay_us")
        return True

    late_reply = late_request

    def hang(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        self._silence(lane.connection.to_server)
        return self._silence(lane.connection.to_client)

    def _silence(self, lane: Lane) -> bool:
        """A stream cannot have a gap: after a lost message nothing more arrives on this lane."""
        lane.silent = True
        self._silent.append(lane)
        return False

    def slow(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        duration_us = fault.number("duration_us")
        packet.arrival_us = self._network.agenda.now_us + duration_us
        if isinstance(lane.node, ProcessNode) or packet.frame is None:
            size = -(-len(packet.data) // PIECES)
            for piece in range(0, len(packet.data) - size, size):
                at_us = self._network.agenda.now_us + duration_us * piece // len(packet.data)
                self._network.push_packet(lane, "message", packet.data[piece : piece + size], at_us)
            packet.data = packet.data[(len(packet.data) - 1) // size * size :]
            packet.frame = None
        return True

    def refused(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        self._refusing[lane.connection.link] = self._network.agenda.now_us + fault.number("duration_us")
        return self.reset(fault, lane, packet)

    def reset(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        self._break(lane, "reset")
        return False

    def partial(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        self._network.push_packet(lane, "message", packet.data[: len(packet.data) // 2], 0)
        self._break(lane, "end")
        return False

    def _break(self, lane: Lane, kind: PacketKind) -> None:
        """Both ends learn that the connection is gone, each after what is already on its way to it."""
        connection = lane.connection
        for side in (connection.to_server, connection.to_client):
            self._network.push_packet(side, "reset" if side is not lane else kind, b"", 0)
        connection.to_server.silent = connection.to_client.silent = True

    def duplicate(self, fault: Fault, lane: Lane, packet: Packet) -> bool:
        connection = lane.connection
        delay_us = fault.number("delay_us")
        self._network.agenda.call_later(
            delay_us,
            lambda: self._again(connection.client, connection.server.service_name, connection.port, packet),
        )
        return True

    def _again(self, client: Node, service: str, port: int, packet: Packet) -> None:
        end = _Echo(packet.data)
        end.connection = self._network.connect(client, service, port, end)

    # Faults on links

    def partition(self, fault: Fault) -> None:
        pair = (fault.text("a"), fault.text("b"))
        self._cuts.append(pair)
        self._later(fault, lambda: self._mend(pair))

    def _mend(self, pair: tuple[str, str]) -> None:
        if pair in self._cuts:
            self._cuts.remove(pair)
            self._network.requeue()

    def latency(self, fault: Fault) -> None:
        link = fault.text("link")
        self._latencies[link] = fault.number("delay_us")
        self._later(fault, lambda: self._latencies.pop(link, None))

    def bandwidth(self, fault: Fault) -> None:
        link = fault.text("link")
        self._bandwidths[link] = max(1, fault.number("bytes_per_second"))
        self._later(fault, lambda: self._bandwidths.pop(link, None))

    def _is_cut(self, lane: Lane) -> bool:
        if not self._cuts:
            return False
        ends = {lane.connection.client.name, lane.connection.client.service_name}
        others = {lane.connection.server.name, lane.connection.server.service_name}
        return any((a in ends and b in others) or (b in ends and a in others) for a, b in self._cuts)

    def _extra_latency(self, lane: Lane, packet: Packet) -> int:
        link = lane.connection.link
        extra_us = self._latencies.get(link, 0)
        if link in self._bandwidths:
            extra_us += len(packet.data) * 1_000_000 // self._bandwidths[link]
        return extra_us

    def _is_refusing(self, link: str) -> bool:
        return self._refusing.get(link, 0) > self._network.agenda.now_us

    # Faults on nodes

    def crash(self, fault: Fault) -> None:
        node = self._node(fault)
        if node.is_up:
            self._network.record("crashed", node.name, "")
            node.crash()
            self._later(fault, lambda: self._restart(node))

    def _restart(self, node: Node) -> None:
        if not node.is_up:
            node.restart()

    def pause(self, fault: Fault) -> None:
        node = self._node(fault)
        node.pause()
        self._later(fault, node.resume)

    def skew(self, fault: Fault) -> None:
        node = self._node(fault)
        if not isinstance(node, ProcessNode):
            raise UsageError(
                f"fault 'skew' names {node.name!r}; only a process of the target has a clock to skew."
            )
        node.skew_us = fault.number("ahead_us")
        self._later(fault, lambda: setattr(node, "skew_us", 0))

    # Faults on stores

    def down(self, fault: Fault) -> None:
        node = self._node(fault)
        if node.is_up:
            self._network.record("down", node.name, "")
            node.go_down()
            self._later(fault, lambda: self._restart(node))

    def expire(self, fault: Fault) -> None:
        self._note_keys("expired", fault, self._store(fault).expire(fault.text("keys")))

    def evict(self, fault: Fault) -> None:
        self._note_keys("evicted", fault, self._store(fault).evict(fault.text("keys")))

    def flush(self, fault: Fault) -> None:
        self._store(fault).flush()

    def _note_keys(self, what: str, fault: Fault, keys: list[str]) -> None:
        self._network.record(what, fault.text("node"), " ".join(keys))

    # Common parts

    def _node(self, fault: Fault) -> Node:
        name = fault.text("node")
        if name not in self._network.nodes:
            known = ", ".join(sorted(self._network.nodes))
            raise UsageError(f"fault {fault.kind!r} names the node {name!r}; the nodes are: {known}.")
        return self._network.nodes[name]

    def _store(self, fault: Fault) -> Store:
        name = fault.text("node")
        if name not in self._stores:
            raise UsageError(
                f"fault {fault.kind!r} names the store {name!r}; this target has: {', '.join(self._stores)}."
            )
        return self._stores[name]

    def _later(self, fault: Fault, undo: Callable[[], Any]) -> None:
        self._network.agenda.call_later(fault.number("duration_us"), undo)

    def heal(self) -> None:
        """Undoes everything: links pass, nodes run, silent connections are found dead by both ends."""
        self._healed = True
        self._cuts.clear()
        self._latencies.clear()
        self._bandwidths.clear()
        self._refusing.clear()
        for node in list(self._network.nodes.values()):
            if isinstance(node, ProcessNode):
                node.skew_us = 0
            if node.is_paused:
                node.resume()
            self._restart(node)
        for lane in self._silent:
            self._bury(lane)
        self._silent.clear()
        self._network.requeue()

    def _bury(self, lane: Lane) -> None:
        connection = lane.connection
        if not connection.is_dead:
            for side in (connection.to_server, connection.to_client):
                side.silent = False
                self._network.push_packet(side, "reset", b"", 0)


class _Echo:
    """The client's end of a duplicated request: it sends the bytes again and ignores the answer."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.connection: Any = None

    def opened(self) -> None:
        self.connection.send_request_bytes(self._data)

    def received(self, data: bytes, frame: Frame | None) -> None:
        self.connection.close(from_client=True)

    def ended(self, reset: bool) -> None: ...
