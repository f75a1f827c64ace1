"""Scenarios: workload + allowed faults + invariants + limits."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.fault import SECOND_US, kind_named
from harness.invariant import Check, Invariant, Phase
from harness.plan import Plan
from harness.target import Target

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from harness.world import World

Workload = Callable[["World"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use before it ends with a named error.

    steps: deliveries and timers. virtual_us: of the safety phase; liveness_us: of the phase after faults heal.
    wall_us: real time, a guard against a target that blocks its loop.
    """

    steps: int = 50_000
    virtual_us: int = 120 * SECOND_US
    liveness_us: int = 120 * SECOND_US
    wall_us: int = 20 * SECOND_US


class Scenario:
    """One workload on one target; `@name.invariant(always)` adds an invariant of its own.

    faults: the names of the fault kinds that its plans may use. inputs: a Hypothesis strategy for `world.inputs`
    (JSON values). instances: process name to how many of it, where this scenario wants others than the target
    says. hazards: plans that are always tried first, each with faults over known message names.
    """

    def __init__(
        self,
        workload: Workload,
        target: Target,
        *,
        name: str | None = None,
        faults: Sequence[str] = (),
        invariants: Sequence[Invariant] = (),
        inputs: "SearchStrategy[dict[str, Any]] | None" = None,
        limits: Limits | None = None,
        max_faults: int = 3,
        constraints: bool = True,
        hazards: Sequence[Plan] = (),
        instances: Mapping[str, int] | None = None,
    ) -> None:
        self.workload = workload
        self.target = target
        self.name: str = name or str(getattr(workload, "__name__", "scenario"))
        self.faults = tuple(faults)
        self.invariants = list(invariants)
        self.inputs = inputs
        self.limits = limits or Limits()
        self.max_faults = max_faults
        self.constraints = constraints
        self.hazards = tuple(hazards)
        self.instances = dict(instances or {})
        for kind in self.faults:
            kind_named(kind)
        target.scenarios.append(self)

    @property
    def meaning(self) -> str:
        lines = (self.workload.__doc__ or "").strip().splitlines()
        return lines[0] if lines else self.name.replace("_", " ")

    def invariant(self, phase: Phase) -> Callable[[Check], Check]:
        if phase not in ("always", "eventually"):
            raise UsageError(
                f"invariant phase {phase!r} does not exist; use always or eventually from harness."
            )

        def add(check: Check) -> Check:
            self.invariants.append(Invariant(getattr(check, "__name__", "invariant"), phase, check))
            return check

        return add


def scenario(target: Target, **options: Any) -> Callable[[Workload], Scenario]:
    """Makes a scenario of an async function that takes a World; the options are those of `Scenario`."""

    def make(workload: Workload) -> Scenario:
        return Scenario(workload, target, **options)

    return make
