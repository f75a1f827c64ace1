"""Plans: what a run intends. Pure data with a JSON round trip.

A plan names workload inputs, faults, ordering constraints, a seed (for entropy seen by the target, never for the
order) and the policy that decides what the constraints leave open.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.errors import UsageError, unknown_name
from harness.fault import Fault, fault_from_json
from harness.names import parse_name

POLICIES = ("fifo", "random", "pos")
MAX_FAULTS = 50
MAX_CONSTRAINTS = 5_000


@dataclass(frozen=True, slots=True)
class Constraint:
    """`before` is delivered before `after`; `after` is held until then. Both are message names."""

    before: str
    after: str

    def describe(self) -> str:
        return f"{self.before}   before   {self.after}"

    def to_json(self) -> dict[str, str]:
        return {"before": self.before, "after": self.after}


def constraint_from_json(document: Mapping[str, Any]) -> Constraint:
    try:
        before, after = str(document["before"]), str(document["after"])
    except KeyError as missing:
        raise UsageError(
            f"constraint {dict(document)!r} lacks {missing}; it needs 'before' and 'after'."
        ) from None
    parse_name(before)
    parse_name(after)
    return Constraint(before, after)


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run of a given build and scenario."""

    seed: int
    inputs: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    policy: str = "fifo"

    def with_(self, **changes: Any) -> "Plan":
        return replace(self, **changes)

    @property
    def size(self) -> int:
        """Faults plus constraints: what shrinking makes small."""
        return len(self.faults) + len(self.constraints)

    def to_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "inputs": dict(self.inputs),
            "faults": [fault.to_json() for fault in self.faults],
            "constraints": [constraint.to_json() for constraint in self.constraints],
            "policy": self.policy,
        }


def plan_from_json(document: Mapping[str, Any]) -> Plan:
    """Raises UsageError when the document is not a plan."""
    seed = document.get("seed")
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise UsageError(f"a plan's seed is {seed!r}; it must be a whole number from 0 to 2^63 - 1.")
    policy = document.get("policy", "fifo")
    if policy not in POLICIES:
        raise unknown_name("policy", str(policy), POLICIES, "paychaos run --help")
    faults, constraints = document.get("faults", []), document.get("constraints", [])
    if len(faults) > MAX_FAULTS or len(constraints) > MAX_CONSTRAINTS:
        raise UsageError(
            f"a plan has {len(faults)} faults and {len(constraints)} constraints;"
            f" at most {MAX_FAULTS} and {MAX_CONSTRAINTS} are allowed."
        )
    return Plan(
        seed,
        dict(document.get("inputs", {})),
        tuple(fault_from_json(item) for item in faults),
        tuple(constraint_from_json(item) for item in constraints),
        policy,
    )
