"""Hypothesis strategies that draw plans over what a probe run saw.

Drawing is apart from running: a batch of plans is a function of the strategy and a seed, so run 318 of a
campaign can be drawn again without its 317 predecessors being run again. Everything is drawn by index in
first-seen order, defaults first; never a seed for an order, and never a float.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from harness.fault import SECOND_US, Fault, Value, fault
from harness.plan import Constraint
from harness.scenario import Scenario
from harness.search.backend import BACKEND
from harness.search.seen import Seen

Drawn = TypeVar("Drawn")
Parts = tuple[dict[str, Any], tuple[Fault, ...], tuple[Constraint, ...]]
"""Inputs, faults and constraints of a plan."""

MAX_DRAWN_CONSTRAINTS = 3

AMOUNTS: dict[str, tuple[int, ...]] = {
    "delay_us": (SECOND_US // 5, 3 * SECOND_US, 60 * SECOND_US),
    "duration_us": (SECOND_US // 5, 10 * SECOND_US, 60 * SECOND_US),
    "ahead_us": (SECOND_US, 3_600 * SECOND_US),
    "bytes_per_second": (100,),
}
"""The values worth trying beside the default: within one time-out, about one, and well beyond all of them."""


def faults(scenario: Scenario, seen: Seen) -> st.SearchStrategy[tuple[Fault, ...]]:
    """Up to `scenario.max_faults` faults of the kinds that the scenario allows.

    The first is about a message that the probe saw; the others may also be about what its retry would send.
    """
    seen_ones = [seen.faults(kind) for kind in scenario.faults if seen.faults(kind)]
    if not seen_ones or scenario.max_faults == 0:
        return st.just(())
    with_retries = [*seen_ones, *(seen.retry_faults(kind) for kind in scenario.faults if seen.faults(kind))]
    first = _one_of(seen_ones)
    others = st.lists(_one_of(with_retries), max_size=scenario.max_faults - 1)
    return st.just(()) | st.builds(_different, first, others)


def constraints(scenario: Scenario, seen: Seen) -> st.SearchStrategy[tuple[Constraint, ...]]:
    """A few racing pairs turned round."""
    if not seen.constraints:
        return st.just(())
    return st.lists(st.sampled_from(seen.constraints), max_size=MAX_DRAWN_CONSTRAINTS, unique=True).map(tuple)


def inputs(scenario: Scenario) -> st.SearchStrategy[dict[str, Any]]:
    """The workload's inputs; the empty ones when the scenario takes none."""
    return st.just({}) if scenario.inputs is None else scenario.inputs


def parts(scenario: Scenario, seen: Seen) -> st.SearchStrategy[Parts]:
    """Everything that is drawn of a plan."""
    return st.tuples(inputs(scenario), faults(scenario, seen), constraints(scenario, seen))


def draw(strategy: st.SearchStrategy[Drawn], seed: int, count: int) -> list[Drawn]:
    """Up to `count` different values, the simplest first; the same ones for the same strategy and seed."""
    drawn: list[Drawn] = []

    @seeded(seed)
    @settings(
        max_examples=count,
        backend=BACKEND,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Drawn) -> None:
        drawn.append(value)

    collect()
    return drawn


def simplest_inputs(scenario: Scenario) -> dict[str, Any]:
    """The first value of the inputs' strategy: what Hypothesis would shrink to."""
    return {} if scenario.inputs is None else dict(draw(scenario.inputs, 0, 1)[0])


def _one_of(offered: Sequence[Sequence[Fault]]) -> st.SearchStrategy[Fault]:
    """The kind first, then where, then how much."""
    return st.one_of([st.sampled_from(faults) for faults in offered if faults]).flatmap(_amounts)


def _different(first: Fault, others: Sequence[Fault]) -> tuple[Fault, ...]:
    """No two faults of one kind at one place."""
    return tuple({(item.kind, item.at): item for item in (first, *others)}.values())


def _amounts(chosen: Fault) -> st.SearchStrategy[Fault]:
    free = {name: default for name, default in chosen.definition.parameters.items() if name in AMOUNTS}
    if not free:
        return st.just(chosen)
    amounts = {name: st.sampled_from([default, *AMOUNTS[name]]) for name, default in free.items()}
    return st.fixed_dictionaries(amounts).map(lambda values: _with_amounts(chosen, values))


def _with_amounts(chosen: Fault, values: dict[str, Value]) -> Fault:
    return fault(chosen.kind, chosen.at, **{**dict(chosen.parameters), **values})


def smallest(
    strategy: st.SearchStrategy[Drawn], fails: Callable[[Drawn], bool], seed: int, tries: int = 50
) -> Drawn | None:
    """The smallest value that Hypothesis finds to fail, among `tries` drawn ones and what it shrinks them to.

    None when none of them fails. `fails` may start to answer False once it is out of runs.
    """
    failing: list[Drawn] = []

    def seen_to_fail(value: Drawn) -> bool:
        if fails(value):
            failing.append(value)
            return True
        return False

    with suppress(NoSuchExample):
        find(
            strategy,
            seen_to_fail,
            settings=settings(
                max_examples=tries,
                backend=BACKEND,
                database=None,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
            random=Random(seed),
        )
    return failing[-1] if failing else None
