"""Shrinking: from a failing run to the few faults, constraints and inputs that it takes.

1. An order that a policy chose becomes constraints over racing pairs (or stays as it was, if they do not show
   the failure). 2. Parts that never struck go. 3. ddmin over faults and constraints together. 4. Amounts go
   back to their defaults. 5. Hypothesis shrinks the inputs. 6. The result is run three times more, and once
   without each of its parts.

Same failure = same invariant and same entity, never the text. Every run counts; plans are not run twice.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.boundary import PLACES
from harness.events import RemovalEffect
from harness.fault import Fault, fault
from harness.history import first_difference
from harness.names import parse_name
from harness.plan import Constraint, Plan
from harness.run import Run, Violation
from harness.scenario import Scenario
from harness.search.ddmin import ddmin
from harness.search.recorded_order import differences, full_order
from harness.search.strategies import smallest

MAX_RUNS = 120
TIMES = 3
"""How often a shrunk failure is run again before it is reported."""

HELD_US = 30_000_000
"""About as long as a world holds a message for a constraint that cannot be met."""

LONG_US = 1_000_000
"""A message that was held this long met time-outs, not another message."""

MAX_REMOVALS = 8
MAX_INPUT_RUNS = 30

Part = Fault | Constraint


class Runner(Protocol):
    """One build of a target, ready to run."""

    def run(self, scenario: Scenario, plan: Plan, *, detail: bool = False) -> Run:
        """Executes the plan; with `detail`, the Run holds events, rows and exports too."""


@dataclass(frozen=True)
class Shrunk:
    """The smallest failing plan that was found, and what running it again showed.

    run: the last re-run, with detail. original_size: of the first failing plan, its order counted in
    constraints.
    """

    plan: Plan
    run: Run
    violation: Violation
    original_size: int
    runs_used: int
    reproduced: int
    first_difference: tuple[str, str] | None
    removals: tuple[RemovalEffect, ...]
    nearest_pass: Plan | None


def shrink(
    runner: Runner,
    scenario: Scenario,
    found: Run,
    violation: Violation,
    *,
    may_run: Callable[[int], bool] = lambda used: used < MAX_RUNS,
    on_run: Callable[[Run], None] = lambda run: None,
) -> Shrunk:
    """Shrinks one violation of a run. `may_run` is asked with the number of runs used before each further
    one; the final check is made in any case. `on_run` sees every run."""
    return _Shrinker(runner, scenario, found, violation, may_run, on_run).shrink()


class _Shrinker:
    def __init__(
        self,
        runner: Runner,
        scenario: Scenario,
        found: Run,
        violation: Violation,
        may_run: Callable[[int], bool],
        on_run: Callable[[Run], None],
    ) -> None:
        self._runner = runner
        self._scenario = scenario
        self._found = found
        self._violation = violation
        self._may_run = may_run
        self._on_run = on_run
        self._used = 0
        self._runs: dict[str, Run] = {_key(found.plan): found}

    def shrink(self) -> Shrunk:
        plan = self._with_constraints()
        original_size = plan.size
        plan = self._without_idle_parts(plan)
        plan = self._reduced(plan)
        plan = self._with_delays(plan)
        plan = self._with_defaults(plan)
        plan = self._with_smaller_inputs(plan)
        return self._checked(plan, original_size)

    def _run(self, plan: Plan) -> Run | None:
        """The run of a plan, from memory if it was run before; None when there are no runs left."""
        key = _key(plan)
        if key not in self._runs:
            if not self._may_run(self._used):
                return None
            self._runs[key] = self._execute(plan)
        return self._runs[key]

    def _execute(self, plan: Plan, *, detail: bool = False) -> Run:
        self._used += 1
        run = self._runner.run(self._scenario, plan, detail=detail)
        self._on_run(run)
        return run

    def _fails(self, plan: Plan) -> bool:
        run = self._run(plan)
        return run is not None and self._same(run) is not None

    def _same(self, run: Run) -> Violation | None:
        """This failure in another run."""
        for violation in run.violations:
            if violation.signature == self._violation.signature:
                return violation
        return None

    def _with_constraints(self) -> Plan:
        """The found plan under FIFO, its order as constraints; as it was when they do not show the
        failure."""
        found = self._found
        if found.plan.policy == "fifo":
            return found.plan
        plain = found.plan.with_(policy="fifo")
        fifo = self._run(plain)
        if fifo is None or self._same(fifo) is not None:
            return plain if fifo is not None else found.plan
        relevant = [item for item in found.deliveries if item.at_us <= self._violation.at_us]
        given = found.plan.constraints
        for constraints in (differences(relevant, fifo.deliveries), full_order(relevant)):
            ordered = plain.with_(constraints=(*given, *constraints))
            if self._fails(ordered):
                return ordered
        return found.plan

    def _without_idle_parts(self, plan: Plan) -> Plan:
        """Without the faults that did not strike and the constraints that were dropped: one run."""
        run = self._run(plan)
        if run is None:
            return plan
        struck = [item for item, hit in zip(plan.faults, run.hits, strict=False) if hit]
        kept = [item for index, item in enumerate(plan.constraints) if index not in run.infeasible]
        smaller = plan.with_(faults=tuple(struck), constraints=tuple(kept))
        return smaller if smaller.size < plan.size and self._fails(smaller) else plan

    def _reduced(self, plan: Plan) -> Plan:
        """Minimal in its faults and constraints. Whole classes of parts are tried first: they often do not
        matter."""
        for smaller in (plan.with_(constraints=()), plan.with_(faults=())):
            if smaller.size < plan.size and self._fails(smaller):
                plan = smaller
        parts: list[Part] = [*plan.faults, *plan.constraints]
        return _with_parts(plan, ddmin(parts, lambda kept: self._fails(_with_parts(plan, kept))))

    def _with_delays(self, plan: Plan) -> Plan:
        """A constraint that held its message for long, or in vain, becomes a delay if that shows the failure too:
        then the wait was what mattered, not the order."""
        run = self._run(plan)
        for constraint in _long_waits(run) if run is not None else ():
            kind = "late_reply" if parse_name(constraint.after).is_reply else "late_request"
            delayed = plan.with_(
                faults=(*plan.faults, fault(kind, constraint.after, delay_us=HELD_US)),
                constraints=tuple(item for item in plan.constraints if item != constraint),
            )
            if self._fails(delayed):
                return self._with_delays(delayed)
        return plan

    def _with_defaults(self, plan: Plan) -> Plan:
        """With as many amounts as possible at their defaults: all of a fault's at once, or else one by one."""
        for index in range(len(plan.faults)):
            for simpler in _simpler_amounts(plan.faults[index]):
                changed = plan.with_(faults=(*plan.faults[:index], simpler, *plan.faults[index + 1 :]))
                if self._fails(changed):
                    plan = changed
                    break
        return plan

    def _with_smaller_inputs(self, plan: Plan) -> Plan:
        if self._scenario.inputs is None:
            return plan
        limit = self._used + MAX_INPUT_RUNS

        def fails(inputs: dict[str, Any]) -> bool:
            return self._used < limit and self._fails(plan.with_(inputs=inputs))

        found = smallest(self._scenario.inputs, fails, plan.seed)
        return plan if found is None else plan.with_(inputs=found)

    def _checked(self, plan: Plan, original_size: int) -> Shrunk:
        reference = self._runs[_key(plan)]
        again = [self._execute(plan, detail=True) for _ in range(TIMES)]
        equal = [run for run in again if run.digest == reference.digest and self._same(run) is not None]
        shown = equal[-1] if equal else reference
        removals = self._removals(plan)
        return Shrunk(
            plan=plan,
            run=shown,
            violation=self._same(shown) or self._violation,
            original_size=original_size,
            runs_used=self._used,
            reproduced=len(equal),
            first_difference=_difference(again),
            removals=removals,
            nearest_pass=self._nearest_pass(plan),
        )

    def _removals(self, plan: Plan) -> tuple[RemovalEffect, ...]:
        effects = []
        parts: list[Part] = [*plan.faults, *plan.constraints]
        for part in parts[:MAX_REMOVALS]:
            run = self._run(_with_parts(plan, [item for item in parts if item is not part]))
            if run is not None:
                violated = tuple(dict.fromkeys(violation.invariant for violation in run.violations))
                effects.append(RemovalEffect(part.describe(), run.verdict, violated))
        return tuple(effects)

    def _nearest_pass(self, plan: Plan) -> Plan | None:
        passing = [run.plan for run in self._runs.values() if run.verdict == "pass"]
        return min(passing, key=lambda other: _distance(plan, other), default=None)


def _long_waits(run: Run) -> list[Constraint]:
    """The constraints that could not be met, and those whose message was held longer than callers wait."""
    waits_us = {str(item.name): item.at_us - item.sent_us for item in run.deliveries}
    return [
        constraint
        for index, constraint in enumerate(run.plan.constraints)
        if index in run.infeasible or waits_us.get(constraint.after, 0) >= LONG_US
    ]


def _with_parts(plan: Plan, parts: Sequence[Part]) -> Plan:
    return plan.with_(
        faults=tuple(part for part in parts if isinstance(part, Fault)),
        constraints=tuple(part for part in parts if isinstance(part, Constraint)),
    )


def _simpler_amounts(planned: Fault) -> list[Fault]:
    """The fault with all amounts at their defaults, then with one of several; what says where it strikes is kept."""
    amounts = [name for name, _ in planned.parameters if name not in PLACES]
    groups = [amounts, *([name] for name in amounts if len(amounts) > 1)] if amounts else []
    return [
        fault(
            planned.kind,
            planned.at,
            **{name: value for name, value in planned.parameters if name not in group},
        )
        for group in groups
    ]


def _distance(plan: Plan, other: Plan) -> int:
    """How many parts and inputs two plans do not share."""
    parts = {*plan.faults, *plan.constraints} ^ {*other.faults, *other.constraints}
    return len(parts) + (plan.inputs != other.inputs) + (plan.policy != other.policy)


def _difference(runs: Sequence[Run]) -> tuple[str, str] | None:
    """Where the first two differing re-runs part, as text."""
    for run in runs[1:]:
        found = first_difference(runs[0].events, run.events)
        if found is not None:
            _, one, other = found
            return _event_text(one), _event_text(other)
    return None


def _event_text(event: Any) -> str:
    if event is None:
        return "(the run had ended)"
    return f"{event.at_us} µs {event.kind} {event.who} {event.what} {event.detail}".strip()


def _key(plan: Plan) -> str:
    return json.dumps(plan.to_json(), sort_keys=True)
