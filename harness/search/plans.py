"""The plans of a search, in the order in which they are run. A pure function of scenario, probe and seed.

Nothing here depends on what a run showed (but for the probe), nor on the time it took: so run 318 has the
same plan in a campaign of 400 runs, in one of ten minutes, and when it is replayed alone.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from harness.boundary import boundary_of
from harness.events import Phase
from harness.fault import Fault
from harness.plan import Constraint, Plan
from harness.scenario import Scenario
from harness.search.seen import Seen
from harness.search.strategies import Parts, draw, inputs, parts, simplest_inputs
from harness.seed import child_random, child_seed, run_seed

TURNS: tuple[Phase, ...] = ("sweep", "sweep", "drawn", "order")
"""Whose turn it is. The sweep is cheap and finds most, and ends; the others go on for ever."""

BATCH = 50
POLICIES = ("pos", "random")
FAULTS_IN_ORDER_RUNS = (0, 0, 0, 1, 1, 2)
"""Half of the runs in a random order have no fault: races need none, and faults hide races as often as not.
(Where the probe saw no race, each has one: only a fault can bring two messages together then.)"""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A plan and its place in the campaign."""

    number: int
    phase: Phase
    plan: Plan


def first_plan(scenario: Scenario, seed: int) -> Numbered:
    """The probe: FIFO, no fault, the simplest inputs."""
    return Numbered(1, "probe", Plan(run_seed(seed, 1), simplest_inputs(scenario)))


def further_plans(scenario: Scenario, seen: Seen, seed: int) -> Iterator[Numbered]:
    """Run 2 and on: the scenario's hazards, then sweep, drawn plans and random orders in turn.

    It ends only when nothing new is left to try.
    """
    simplest = simplest_inputs(scenario)
    number = 1
    for number, hazard in enumerate(scenario.hazards, start=2):
        given = hazard.inputs or simplest
        yield Numbered(number, "hazard", hazard.with_(seed=run_seed(seed, number), inputs=given))
    sources = {
        "sweep": _sweep(scenario, seen, simplest, seed),
        "drawn": _drawn(scenario, seen, seed),
        "order": _random_orders(scenario, seen, seed),
    }
    tried = {_key(({}, (), ()))}
    while sources:
        for phase in TURNS:
            plan = _next_new(sources[phase], tried) if phase in sources else None
            if plan is None:
                sources.pop(phase, None)
                continue
            number += 1
            yield Numbered(number, phase, plan.with_(seed=run_seed(seed, number)))


def _next_new(source: Iterator[Plan], tried: set[str]) -> Plan | None:
    """The next plan that was not tried. Random orders differ by their seed, so they are always new."""
    for plan in source:
        key = _key((dict(plan.inputs), plan.faults, plan.constraints))
        if plan.policy != "fifo":
            return plan
        if key not in tried:
            tried.add(key)
            return plan
    return None


def _sweep(scenario: Scenario, seen: Seen, simplest: dict[str, Any], seed: int) -> Iterator[Plan]:
    """Every fault alone and every racing pair turned round alone.

    At each boundary once before at any twice, and first where it is likeliest to matter.
    """
    singles: list[tuple[int, Plan]] = []
    times: dict[tuple[str, str], int] = {}
    for kind in scenario.faults:
        for fault in seen.faults(kind):
            boundary = kind, boundary_of(fault)
            times[boundary] = times.get(boundary, 0) + 1
            singles.append((times[boundary] + seen.interest(fault), Plan(0, simplest, faults=(fault,))))
    for place, race in enumerate(sorted(seen.races, key=lambda race: (race.rank, race.gap_us))):
        turned = Constraint(race.second, race.first)
        singles.append((2 + race.rank + place // BATCH, Plan(0, simplest, constraints=(turned,))))
    child_random(seed, scenario.name, "sweep").shuffle(singles)
    singles.sort(key=lambda single: single[0])
    yield from (plan for _, plan in singles)


def _drawn(scenario: Scenario, seen: Seen, seed: int) -> Iterator[Plan]:
    """Plans that Hypothesis draws, batch after batch, until a batch brings nothing that an earlier one had
    not."""
    strategy = parts(scenario, seen)
    known: set[str] = set()
    batch = 0
    while True:
        drawn = draw(strategy, child_seed(seed, scenario.name, "drawn", batch), BATCH)
        fresh = [item for item in drawn if _key(item) not in known]
        if not fresh:
            return
        known.update(_key(item) for item in fresh)
        for values, faults, constraints in fresh:
            yield Plan(0, values, faults, constraints)
        batch += 1


def _random_orders(scenario: Scenario, seen: Seen, seed: int) -> Iterator[Plan]:
    """Seeded orders with few faults or none, outside of Hypothesis, for ever."""
    if not scenario.constraints:
        return
    random = child_random(seed, scenario.name, "order")
    offered = [faults for faults in map(seen.faults, scenario.faults) if faults]
    batch = 0
    while True:
        drawn = draw(inputs(scenario), child_seed(seed, scenario.name, "inputs", batch), BATCH)
        for index in range(BATCH):
            wanted = max(random.choice(FAULTS_IN_ORDER_RUNS), not seen.races)
            faults = _some_faults(random, offered, min(wanted, scenario.max_faults))
            yield Plan(0, drawn[index % len(drawn)], faults, policy=POLICIES[index % len(POLICIES)])
        batch += 1


def _some_faults(random: Random, offered: Sequence[tuple[Fault, ...]], count: int) -> tuple[Fault, ...]:
    """First the kind, then the place. `offered` holds a tuple per kind; nothing when it is empty."""
    return tuple(random.choice(random.choice(offered)) for _ in range(count if offered else 0))


def _key(drawn: Parts) -> str:
    values, faults, constraints = drawn
    return json.dumps([values, sorted(map(str, faults)), sorted(map(str, constraints))], sort_keys=True)
