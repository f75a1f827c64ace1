"""The in-memory network: named messages on directed links, delivered one at a time in virtual time.

This is where the order of a run is decided. Everything else in the world is atomic between two deliveries. A step
is one delivery or one timer; the earlier goes first, a delivery before a timer of the same instant.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from harness.errors import LimitExceeded, NotSimulated, PaychaosError
from harness.history import Delivery, Event, History
from harness.names import MessageName, NameBook
from harness.policy import Candidate, Policy
from harness.sim.clock import Agenda
from harness.sim.connection import Connection, Endpoint, Lane, Packet, PacketKind
from harness.sim.node import Node
from harness.sim.order import Order
from harness.wire import Frame, WireError

LATENCY_US = 1_000
"""One way on every link, when no fault says otherwise."""

HOLD_US = 30_000_000
"""How long a message may be held for a constraint before the constraint is given up as infeasible."""


class Network:
    """Nodes, connections and what is in flight.

    on_send(lane, packet) -> bool: may change the packet, and says whether it travels at all.
    before_delivery(name): called just before a message is delivered.
    """

    def __init__(
        self, agenda: Agenda, history: History, policy: Policy, order: Order, max_steps: int
    ) -> None:
        self.agenda = agenda
        self.history = history
        self.names = NameBook()
        self.order = order
        self.steps = 0
        self.on_send: Callable[[Lane, Packet], bool] = lambda lane, packet: True
        self.before_delivery: Callable[[str], None] = lambda name: None
        self.extra_latency: Callable[[Lane, Packet], int] = lambda lane, packet: 0
        self.is_cut: Callable[[Lane], bool] = lambda lane: False
        self.is_refusing: Callable[[str], bool] = lambda link: False
        self.contents: dict[str, bytes] | None = None
        self.fatal: PaychaosError | None = None
        self.nodes: dict[str, Node] = {}
        self._policy = policy
        self._max_steps = max_steps
        self._heads: list[tuple[int, int, Lane]] = []
        self._held: list[Lane] = []
        self._numbers = count()
        self._turns: dict[str, int] = {}

    # Nodes

    def add(self, node: Node) -> None:
        self.nodes[node.name] = node

    def instances(self, service: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.service_name == service]

    def refuse(self, what: str, remedy: str) -> NotSimulated:
        """The error for something not simulated; the run ends with it even if the target swallows it."""
        error = NotSimulated(what, remedy)
        self.fatal = self.fatal or error
        return error

    def record(self, kind: str, who: str, what: str, detail: str = "") -> None:
        self.history.add(Event(self.agenda.elapsed_us, kind, who, what, detail))

    # Connections

    def connect(self, client: Node, service: str, port: int, endpoint: Endpoint) -> Connection:
        """Opens a connection to a service; among several instances that are up, each gets its turn."""
        instances = self.instances(service)
        if not instances:
            raise self.refuse(
                f"a connection to {service}:{port} from process {client.name!r}",
                f"The simulated network has {', '.join(sorted(self.nodes))}; add a Dependency or a Process for it.",
            )
        ready = [node for node in instances if node.is_up] or instances
        turn = self._turns.get(service, 0)
        self._turns[service] = turn + 1
        server = ready[turn % len(ready)]
        connection = Connection(self, client, server, port, server.conversation(port), server.speaks(port))
        connection.to_client.endpoint = endpoint
        client.connections.append(connection)
        server.connections.append(connection)
        self._push(connection.to_server, Packet("open", next(self._numbers), self.agenda.now_us, 0))
        return connection

    def sever(self, node: Node) -> None:
        """A node died: nothing reaches it any more, and its peers learn of the broken connections."""
        for connection in node.connections:
            dead, peer = (
                (connection.to_client, connection.to_server)
                if connection.client is node
                else (connection.to_server, connection.to_client)
            )
            dead.endpoint = None
            dead.packets.clear()
            if not connection.is_dead:
                connection.is_dead = True
                if peer.endpoint is not None or connection.client is node:
                    self._push(peer, Packet("reset", next(self._numbers), self.agenda.now_us, 0))
        node.connections = []

    # Sending

    def send(self, lane: Lane, name: MessageName, frame: Frame) -> None:
        """Puts one whole message in flight. What a dead connection's end writes goes nowhere."""
        if lane.connection.is_dead:
            return
        now_us = self.agenda.now_us
        packet = Packet("message", next(self._numbers), now_us, 0, frame.data, name, frame)
        if self.contents is not None:
            self.contents[str(name)] = frame.data
        if self.on_send(lane, packet):
            self._push(lane, packet)
        else:
            self.lose(lane, packet)

    def lose(self, lane: Lane, packet: Packet) -> None:
        """The packet vanishes; a constraint that waits for it can no longer be met."""
        if packet.name is not None:
            self.record("lost", lane.node.name, str(packet.name))
            if self.order.lost(str(packet.name)):
                self.requeue()

    def send_end(self, lane: Lane, reset: bool) -> None:
        """Closes (or breaks) one direction after everything that was sent before."""
        if not lane.connection.is_dead:
            kind: PacketKind = "reset" if reset else "end"
            self._push(lane, Packet(kind, next(self._numbers), self.agenda.now_us, 0))

    def push_packet(self, lane: Lane, kind: PacketKind, data: bytes, arrival_us: int) -> None:
        """A piece of a message that a fault cut up, or the end that it puts to a lane."""
        packet = Packet(kind, next(self._numbers), self.agenda.now_us, arrival_us, data)
        self._push(lane, packet)

    def _push(self, lane: Lane, packet: Packet) -> None:
        if lane.silent:
            self.lose(lane, packet)
            return
        earliest_us = self.agenda.now_us + LATENCY_US + self.extra_latency(lane, packet)
        packet.arrival_us = max(packet.arrival_us, earliest_us)
        if lane.packets:
            packet.arrival_us = max(packet.arrival_us, lane.packets[-1].arrival_us)
        lane.packets.append(packet)
        self._queue(lane)

    def _queue(self, lane: Lane) -> None:
        """Offers the lane's head for delivery unless something keeps it back."""
        if lane.queued or lane.held or not lane.packets:
            return
        head = lane.packets[0]
        if lane.node.is_paused or self.is_cut(lane):
            self._hold(lane)
            return
        if head.name is not None and self.order.must_wait(str(head.name)):
            self._hold(lane)
            name = str(head.name)
            self.record("held", lane.node.name, name)
            self.agenda.call_later(HOLD_US, lambda: self._give_up(name))
            return
        lane.queued = True
        heapq.heappush(self._heads, (max(head.arrival_us, self.agenda.now_us), head.order, lane))

    def _hold(self, lane: Lane) -> None:
        lane.held = True
        self._held.append(lane)

    def _give_up(self, name: str) -> None:
        if self.order.give_up_on(name):
            self.requeue()

    def requeue(self) -> None:
        """Looks again at every lane that was kept back: the reason may be gone."""
        held, self._held = self._held, []
        for lane in held:
            lane.held = False
            self._queue(lane)

    def give_up_holding(self) -> bool:
        """Nothing else can happen: gives up the constraint of the first held message, if there is one."""
        for lane in self._held:
            head = lane.packets[0] if lane.packets else None
            if head is not None and head.name is not None and self.order.give_up_on(str(head.name)):
                self.requeue()
                return True
        return False

    # Steps

    @property
    def moving(self) -> int:
        """Lanes with something on its way."""
        return len(self._heads)

    @property
    def in_flight(self) -> int:
        """Lanes with something on its way or kept back."""
        return len(self._heads) + len(self._held)

    def next_us(self) -> int | None:
        """When the next step is due."""
        timer_us = self.agenda.next_us()
        if not self._heads:
            return timer_us
        head_us = max(self._heads[0][0], self.agenda.now_us)
        return head_us if timer_us is None else min(head_us, timer_us)

    def step(self) -> bool:
        """Delivers one packet or fires one timer. False when there is nothing to do."""
        timer_us = self.agenda.next_us()
        if not self._heads and timer_us is None:
            return False
        self.steps += 1
        if self.steps > self._max_steps:
            raise LimitExceeded(
                f"the run took more than {self._max_steps} steps; a run of one workload should settle well before."
                " Look for a loop without a pause, or raise Limits(steps=…)."
            )
        if self._heads and (timer_us is None or self._heads[0][0] <= timer_us):
            lane = self._choose(timer_us)
            if lane is not None:
                self._deliver(lane)
                return True
        assert timer_us is not None
        self.agenda.now_us = max(self.agenda.now_us, timer_us)
        self.agenda.pop()()
        return True

    def _choose(self, timer_us: int | None) -> Lane | None:
        """Takes the lane that the policy picks; None when a timer comes before the message that it picked."""
        first_us, _, first = heapq.heappop(self._heads)
        window_us = self._policy.window_us
        if window_us == 0 or not first.packets or first.packets[0].name is None:
            first.queued = False
            return first
        lanes = [first, *self._within(first_us + window_us)]
        candidates = [self._candidate(lane) for lane in lanes]
        chosen = self._policy.choose(candidates)
        picked_us = candidates[chosen].arrival_us
        too_late = timer_us is not None and picked_us > timer_us
        for index, lane in enumerate(lanes):
            if too_late or index != chosen:
                heapq.heappush(self._heads, (candidates[index].arrival_us, candidates[index].order, lane))
        if too_late:
            return None
        lanes[chosen].queued = False
        return lanes[chosen]

    def _within(self, until_us: int) -> Iterator[Lane]:
        """Takes off the further lanes whose head is a message that arrives in time."""
        kept = []
        while self._heads and self._heads[0][0] <= until_us:
            entry = heapq.heappop(self._heads)
            packets = entry[2].packets
            if packets and packets[0].name is not None:
                yield entry[2]
            else:
                kept.append(entry)
        for entry in kept:
            heapq.heappush(self._heads, entry)

    def _candidate(self, lane: Lane) -> Candidate:
        head = lane.packets[0]
        assert head.name is not None
        return Candidate(head.name, max(head.arrival_us, self.agenda.now_us), head.order)

    def _deliver(self, lane: Lane) -> None:
        if not lane.packets:
            return
        if lane.node.is_paused or self.is_cut(lane):
            self._queue(lane)
            return
        packet = lane.packets.popleft()
        self.agenda.now_us = max(self.agenda.now_us, packet.arrival_us)
        if packet.kind == "message":
            self._deliver_message(lane, packet)
        elif packet.kind == "open":
            self._deliver_open(lane.connection)
        elif lane.endpoint is not None:
            endpoint = lane.endpoint
            if packet.kind == "reset":
                lane.connection.is_dead = True
            endpoint.ended(packet.kind == "reset")
        self._queue(lane)

    def _deliver_message(self, lane: Lane, packet: Packet) -> None:
        now_us = self.agenda.elapsed_us
        if packet.name is not None:
            text = str(packet.name)
            self.before_delivery(text)
            if lane.node.is_paused or self.is_cut(lane):
                lane.packets.appendleft(packet)
                return
            if lane.endpoint is None:
                self.record("unreachable", lane.node.name, text)
                if self.order.lost(text):
                    self.requeue()
                return
            sent_us = packet.sent_us - (self.agenda.now_us - now_us)
            self.record("delivered", lane.node.name, text)
            self.history.cover(packet.data)
            self.history.deliveries.append(Delivery(packet.name, lane.connection.protocol, sent_us, now_us))
        if lane.endpoint is not None:
            try:
                lane.endpoint.received(packet.data, packet.frame)
            except WireError as error:
                raise NotSimulated(
                    f"on {lane.connection.link}: {error}", "Run this part with --world live."
                ) from error
        if packet.name is not None and self.order.delivered(str(packet.name)):
            self.requeue()

    def _deliver_open(self, connection: Connection) -> None:
        server = connection.server
        endpoint = None
        if server.is_up and not self.is_refusing(connection.link):
            endpoint = server.accept(connection)
        client_end = connection.to_client.endpoint
        if endpoint is None:
            connection.is_dead = True
            self.record("refused", server.name, f"{connection.link} connection")
            if client_end is not None:
                client_end.ended(True)
            return
        connection.to_server.endpoint = endpoint
        connection.is_open = True
        endpoint.opened()
        if client_end is not None:
            client_end.opened()
