"""What a probe run saw, and so what plans may be about: message names, nodes, stores and racing pairs.

Every list is in first-seen order, so an index near 0 means earlier in the run and simpler.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from harness.fault import Fault, FaultKind, Value, fault, kind_named
from harness.names import MessageName, parse_name
from harness.plan import Constraint
from harness.run import Run
from harness.scenario import Scenario
from harness.search.races import STORE_PROTOCOLS, Race, changes_nothing, find_races

MAX_RACES = 400
"""Racing pairs that plans are drawn from: the likeliest ones."""

NEXT_OCCURRENCES = 2
"""How many occurrences beyond those seen may be named: retries only exist once something has failed."""


@dataclass(frozen=True)
class Seen:
    """nodes: processes of the target, which can crash and pause. stores: what can lose keys or be down.

    later: names that a retry would have, beyond the last occurrence seen. protocols: by link.
    owners: fault kind to the dependency that brought it. dependencies: services that the target only calls.
    """

    names: tuple[MessageName, ...]
    later: tuple[MessageName, ...]
    protocols: dict[str, str]
    nodes: tuple[str, ...]
    stores: tuple[str, ...]
    races: tuple[Race, ...]
    owners: dict[str, str]
    dependencies: frozenset[str]

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Each racing pair turned round."""
        return tuple(Constraint(race.second, race.first) for race in self.races)

    def faults(self, kind: str) -> tuple[Fault, ...]:
        """Every fault of this kind, with default amounts, that the names seen allow."""
        return tuple(self._faults(kind_named(kind), self.names))

    def retry_faults(self, kind: str) -> tuple[Fault, ...]:
        """The same over the names of retries; most of them strike only together with an earlier fault."""
        return tuple(self._faults(kind_named(kind), self.later))

    def interest(self, planned: Fault) -> int:
        """How early a fault deserves to be tried. 0: at a dependency, where nothing can be rolled back; 1: where
        something changes; 2: at a message that changes nothing where it arrives."""
        name = parse_name(planned.at)
        if self.dependencies & {name.source, name.destination}:
            return 0
        return 1 + changes_nothing(name, self.protocols.get(name.link, ""))

    def _faults(self, kind: FaultKind, names: Iterable[MessageName]) -> Iterator[Fault]:
        for name in names:
            if not self._is_anchor(kind, name):
                continue
            for places in self._places(kind, name):
                yield fault(kind.name, str(name), **places)

    def _is_anchor(self, kind: FaultKind, name: MessageName) -> bool:
        if kind.anchor in ("request", "operation", "callback") and name.is_reply:
            return False
        if kind.anchor == "reply" and not name.is_reply:
            return False
        owner = self.owners.get(kind.name)
        if owner is not None and owner != (name.source if kind.anchor == "callback" else name.destination):
            return False
        return not kind.protocols or self.protocols.get(name.link) in kind.protocols

    def _places(self, kind: FaultKind, name: MessageName) -> Iterator[dict[str, Value]]:
        """The parameters that say where, for a kind that is anchored to this message."""
        takes = kind.parameters
        if "a" in takes and "b" in takes:
            yield {"a": name.source, "b": name.destination}
        elif "link" in takes:
            yield {"link": name.link}
        elif "keys" in takes:
            yield from self._keys(name)
        elif "node" in takes:
            offered = self.stores if takes["node"] else self.nodes
            for node in (name.source, name.destination):
                if node in offered:
                    yield {"node": node}
        else:
            yield {}

    def _keys(self, name: MessageName) -> Iterator[dict[str, Value]]:
        """The key that a message is about, just before it is looked at; the whole store is for `flush`."""
        words: list[str] = name.kind.split()
        if self.protocols.get(name.link) == "resp" and not name.is_reply and len(words) > 1:
            yield {"node": name.destination, "keys": words[1]}


def seen_in(run: Run, scenario: Scenario) -> Seen:
    """What the deliveries of a probe run offer to the plans of this scenario."""
    names = tuple(delivery.name for delivery in run.deliveries)
    protocols = {delivery.name.link: delivery.protocol for delivery in run.deliveries}
    target = scenario.target
    processes = target.processes_of(run.build)
    stores = dict.fromkeys(name.destination for name in names if protocols[name.link] in STORE_PROTOCOLS)
    races = find_races(run.deliveries, MAX_RACES) if scenario.constraints else []
    return Seen(
        names=names,
        later=tuple(_later(names)),
        protocols=protocols,
        nodes=tuple(node for process in processes for node in process.nodes),
        stores=tuple(stores),
        races=tuple(races),
        owners={kind.name: item.name for item in target.dependencies for kind in item.faults},
        dependencies=frozenset(item.name for item in target.dependencies),
    )


def _later(names: Iterable[MessageName]) -> Iterator[MessageName]:
    last: dict[tuple[str, str, bool], MessageName] = {}
    for name in names:
        last[name.link, name.kind, name.is_reply] = name
    for name in last.values():
        for ahead in range(1, NEXT_OCCURRENCES + 1):
            yield replace(name, number=name.number + ahead)
