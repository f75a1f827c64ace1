"""Strikes a plan's faults in the live world. One method per kind, named as the kind.

The hands are Toxiproxy's wherever it has the right one: the gate holds the message, sets the toxic, reads it back,
and lets the message go. What Toxiproxy cannot show a caller through the gate (a refused connection, a RST, a reply
cut at a place that depends on its size) the gate does itself. See `UNSUPPORTED` for what this world cannot do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import trio

from harness.errors import UsageError
from harness.fault import Fault
from harness.live import toxic
from harness.live.connection import PIECES, Connection
from harness.names import MessageName, parse_name
from harness.wire import Frame, WireError

if TYPE_CHECKING:
    from harness.live.gate import Gate

TURN_S = 1.0
"""How long a reply's toxic waits for the answers that are due before it on the same connection."""

MARGIN_US = 50_000
"""How much longer than its delay a toxic stays, so that it never lets a message through too early."""

UNSUPPORTED: Mapping[str, str] = {
    "skew": "a real process's clock cannot be set alone; replay it in the simulated world",
}
"""Kinds that no live world can do, with the reason and what to do instead."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a message: it ``travels`` (after, or over, `delay_us`), ``vanishes`` on its way, or ``ends``
    here with its connection. then_deaf: nothing that the client sends afterwards travels any more."""

    kind: Literal["travels", "vanishes", "ends"] = "travels"
    delay_us: int = 0
    then_deaf: bool = False


TRAVELS, VANISHES, ENDS = Fate(), Fate("vanishes"), Fate("ends")


class Unit(Protocol):
    """A node that can be struck: a process of the target, a store or a dependency.

    lead_us: how long it takes from `restart` until it serves.
    """

    lead_us: int

    def crash(self) -> None: ...
    def restart(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def go_down(self) -> None: ...
    def come_up(self) -> None: ...


class KeyStore(Protocol):
    """What Redis can be told. Each gives the keys that it struck."""

    def expire(self, pattern: str) -> list[str]: ...
    def evict(self, pattern: str) -> list[str]: ...
    def flush(self) -> list[str]: ...


def check_supported(faults: Sequence[Fault]) -> None:
    """Before the run starts: raises UsageError when the live world cannot do one of the faults."""
    for fault in faults:
        if fault.kind in UNSUPPORTED:
            raise UsageError(f"fault {fault.kind!r} is not supported live: {UNSUPPORTED[fault.kind]}.")
        if fault.kind == "bandwidth" and fault.number("bytes_per_second") % 1_000:
            raise UsageError(
                f"fault 'bandwidth' has bytes_per_second={fault.number('bytes_per_second')}; Toxiproxy counts in"
                " thousands: use a multiple of 1000."
            )


class LiveInjector:
    """Arms a gate with one run's faults. `hits[i]` tells whether the i-th fault was really injected."""

    def __init__(
        self, faults: Sequence[Fault], units: Mapping[str, Unit], stores: Mapping[str, KeyStore]
    ) -> None:
        self.faults = faults
        self.hits = [False] * len(faults)
        self.gate: Gate
        self._units = units
        self._stores = stores
        self._at_message: dict[str, list[int]] = {}
        self._at_delivery: dict[str, list[int]] = {}
        self._undos: list[Callable[[], None]] = []
        self._healed = False
        for index, fault in enumerate(faults):
            anchor = fault.definition.anchor
            if anchor not in ("operation", "moment"):
                self._at_message.setdefault(fault.at, []).append(index)
            elif anchor == "moment" and not fault.at.startswith("@"):
                self._at_delivery.setdefault(fault.at, []).append(index)

    def start(self) -> None:
        """The workload begins: faults at moments count from here."""
        for index, fault in enumerate(self.faults):
            if fault.at.startswith("@"):
                self.gate.later(int(fault.at[1:]), lambda index=index: self._strike(index))  # type: ignore[misc]

    def cannot_read(self, link: str, error: WireError) -> None:
        """What no reader knows (TLS) passes unread. Raises UsageError when a fault needs the names on that link."""
        for name in [*self._at_message, *self._at_delivery]:
            if parse_name(name).link == link:
                raise UsageError(
                    f"link {link} cannot be read ({error}), so {name!r} is never seen; is it TLS? Give the target a"
                    f" plain URL for it, or use a fault on the whole link (latency, bandwidth, partition)."
                )

    # When a fault's time has come

    def _due(self, name: MessageName, protocol: str) -> list[Fault]:
        """The faults anchored to this message, each marked as hit."""
        found = []
        for index in [] if self._healed else self._at_message.get(str(name), ()):
            fault = self.faults[index]
            if not fault.definition.protocols or protocol in fault.definition.protocols:
                self._hit(index)
                found.append(fault)
        return found

    def _hit(self, index: int) -> None:
        self.hits[index] = True
        fault = self.faults[index]
        extras = " ".join(f"{key}={value}" for key, value in fault.parameters)
        self.gate.traffic.record("fault", fault.kind, fault.at, extras)

    async def on_request(self, connection: Connection, name: MessageName, frame: Frame) -> Fate:
        """Strikes what is anchored to a request, and sets the toxics that its reply will need."""
        fate = TRAVELS
        for fault in self._due(name, connection.link.protocol):
            strike: Callable[[Fault, Connection, Frame], Fate] = getattr(self, fault.kind)
            fate = strike(fault, connection, frame)
            if fate.kind != "travels":
                return fate
        if self._needs_toxics(name.reply):
            return replace(fate, then_deaf=await self._prepare_reply(connection, name.reply))
        return fate

    def _needs_toxics(self, reply: MessageName) -> bool:
        kinds = [self.faults[index].kind for index in self._at_message.get(str(reply), ())]
        return not self._healed and any(kind in _TOXIC_REPLIES for kind in kinds)

    async def _prepare_reply(self, connection: Connection, reply: MessageName) -> bool:
        """The toxic must be there before the reply, and must not hit an earlier one. True when it is a hang."""
        with trio.move_on_after(TURN_S):
            while connection.pending and connection.pending[0].reply != reply:
                await connection.answered.setdefault(connection.pending[0], trio.Event()).wait()
        kinds = []
        for fault in self._due(reply, connection.link.protocol):
            kinds.append(fault.kind)
            if fault.kind == "late_reply":
                delay_us = fault.number("delay_us")
                self._set_for(connection, toxic.latency("downstream", delay_us), delay_us)
            else:
                connection.set(toxic.swallow("downstream"))
                self.gate.traffic.lost(reply)
        return "hang" in kinds

    async def on_reply(self, connection: Connection, name: MessageName, frame: Frame) -> Fate:
        """Strikes what is anchored to a reply and could wait until it is here."""
        if self._needs_toxics(name):
            return TRAVELS
        for fault in self._due(name, connection.link.protocol):
            if fault.kind == "slow":
                return Fate(delay_us=fault.number("duration_us"))
            if fault.kind == "partial":
                await connection.write_half(frame.data)
            else:
                connection.end(reset=True)
            return ENDS
        return TRAVELS

    async def before_delivery(self, name: MessageName) -> None:
        for index in self._at_delivery.get(str(name), ()):
            self._strike(index)

    def _strike(self, index: int) -> None:
        if not self._healed:
            self._hit(index)
            fault = self.faults[index]
            getattr(self, fault.kind)(fault)

    def _set_for(self, connection: Connection, what: toxic.Toxic, duration_us: int) -> None:
        """Sets a toxic on one connection, and takes it off when the message has passed it."""

        def unset() -> None:
            if not self._healed and connection in connection.link.connections:
                connection.unset(what)

        connection.set(what)
        self.gate.later(duration_us + MARGIN_US, unset)

    # Faults on a request

    def lost_request(self, fault: Fault, connection: Connection, frame: Frame) -> Fate:
        connection.set(toxic.swallow("upstream"))
        return VANISHES

    def late_request(self, fault: Fault, connection: Connection, frame: Frame) -> Fate:
        delay_us = fault.number("delay_us")
        self._set_for(connection, toxic.latency("upstream", delay_us), delay_us)
        return Fate(delay_us=delay_us)

    def hang(self, fault: Fault, connection: Connection, frame: Frame) -> Fate:
        connection.set(toxic.swallow("downstream"))
        return self.lost_request(fault, connection, frame)

    def slow(self, fault: Fault, connection: Connection, frame: Frame) -> Fate:
        duration_us = fault.number("duration_us")
        slices = toxic.trickle("upstream", len(frame.data), PIECES, duration_us)
        self._set_for(connection, slices, duration_us)
        return Fate(delay_us=duration_us)

    def refused(self, fault: Fault, connection: Connection, frame: Frame) -> Fate:
        link = connection.link
        link.close()
        self._later(fault, link.open)
        connection.end(reset=True)
        return ENDS

    def reset(self, fault: Fault, connection: Connection, frame: Frame) -> Fate:
        connection.resets_client = True
        connection.set(toxic.reset("upstream"))
        return VANISHES

    def partial(self, fault: Fault, connection: Connection, frame: Frame) -> Fate:
        connection.resets_client = True
        connection.set(toxic.cut_after("upstream", len(frame.data) // 2))
        return VANISHES

    def duplicate(self, fault: Fault, connection: Connection, frame: Frame) -> Fate:
        port = connection.link.port
        self.gate.later(
            fault.number("delay_us"), lambda: self.gate.nursery.start_soon(_send_again, port, frame.data)
        )
        return TRAVELS

    # Faults on links

    def partition(self, fault: Fault) -> None:
        """What is sent meanwhile arrives when the partition ends, as TCP would repeat it."""
        a, b = fault.text("a"), fault.text("b")
        holds = [toxic.latency(stream, fault.number("duration_us")) for stream in toxic.STREAMS]
        self._on_links([link.name for link in self.gate.links.values() if link.joins(a, b)], holds, fault)

    def latency(self, fault: Fault) -> None:
        delays = [toxic.latency(stream, fault.number("delay_us")) for stream in toxic.STREAMS]
        self._on_links([fault.text("link")], delays, fault)

    def bandwidth(self, fault: Fault) -> None:
        rates = [toxic.bandwidth(stream, fault.number("bytes_per_second")) for stream in toxic.STREAMS]
        self._on_links([fault.text("link")], rates, fault)

    def _on_links(self, names: list[str], toxics: list[toxic.Toxic], fault: Fault) -> None:
        links = [link for link in self.gate.links.values() if link.name in names]
        for link in links:
            for one in toxics:
                link.add(one)

        def undo() -> None:
            for link in links:
                for one in toxics:
                    link.remove(one)

        self._later(fault, undo)

    # Faults on nodes

    def crash(self, fault: Fault) -> None:
        unit = self._unit(fault)
        self.gate.traffic.record("crashed", fault.text("node"), "")
        unit.crash()
        self._later(fault, unit.restart, unit.lead_us)

    def pause(self, fault: Fault) -> None:
        unit = self._unit(fault)
        unit.pause()
        self._later(fault, unit.resume)

    def down(self, fault: Fault) -> None:
        unit = self._unit(fault)
        self.gate.traffic.record("down", fault.text("node"), "")
        unit.go_down()
        self._later(fault, unit.come_up)

    def _unit(self, fault: Fault) -> Unit:
        name = fault.text("node")
        if name not in self._units:
            raise UsageError(
                f"fault {fault.kind!r} names the node {name!r}; the nodes are: {', '.join(sorted(self._units))}."
            )
        return self._units[name]

    # Faults on stores

    def expire(self, fault: Fault) -> None:
        self._note_keys("expired", fault, self._store(fault).expire(fault.text("keys")))

    def evict(self, fault: Fault) -> None:
        self._note_keys("evicted", fault, self._store(fault).evict(fault.text("keys")))

    def flush(self, fault: Fault) -> None:
        self._store(fault).flush()

    def _store(self, fault: Fault) -> KeyStore:
        name = fault.text("node")
        if name not in self._stores:
            raise UsageError(
                f"fault {fault.kind!r} names the store {name!r}; this target has: {', '.join(self._stores) or 'none'}."
            )
        return self._stores[name]

    def _note_keys(self, what: str, fault: Fault, keys: list[str]) -> None:
        self.gate.traffic.record(what, fault.text("node"), " ".join(keys))

    # Undoing

    def _later(self, fault: Fault, undo: Callable[[], None], lead_us: int = 0) -> None:
        """Undoes a fault after its duration (begun `lead_us` earlier), or when the world heals."""

        def once() -> None:
            if undo in self._undos:
                self._undos.remove(undo)
                undo()

        self._undos.append(undo)
        self.gate.later(max(0, fault.number("duration_us") - lead_us), once)

    def heal(self) -> None:
        """Undoes everything, and injects nothing more."""
        self._healed = True
        while self._undos:
            self._undos.pop(0)()


_TOXIC_REPLIES = ("lost_reply", "late_reply", "hang")
"""Faults of a reply that must be set before the reply is sent."""


async def _send_again(port: int, data: bytes) -> None:
    """The duplicate of a request, on a connection of its own; its answer is not looked at."""
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            await stream.send_all(data)
            with trio.move_on_after(30):
                await stream.receive_some(1)
    except (trio.BrokenResourceError, OSError):
        return
