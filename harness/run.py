"""The record of one execution of (build, scenario, plan), as the engine hands it on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.client import Outcome
from harness.history import Delivery, Event
from harness.plan import Plan

Verdict = Literal["pass", "inconclusive", "fail", "error"]
InvariantVerdict = Literal["held", "violated", "not_exercised"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One invariant violated for one entity. Same failure = same invariant and same entity.

    sentence: money, order and time in words. at_us: when it was first seen, since the start of the run.
    """

    invariant: str
    entity: str
    sentence: str
    at_us: int

    @property
    def signature(self) -> tuple[str, str]:
        return self.invariant, self.entity


@dataclass(frozen=True, slots=True)
class RowChange:
    """One committed change of one row.

    at_us: since the start of the run. key: the primary key's values, joined by a comma. op: ``INSERT``, ``UPDATE``
    or ``DELETE``. before, after: the whole row, None where there is none; whole numbers are ints, other numbers and
    times are text. client: the node whose session changed it.
    """

    at_us: int
    table: str
    key: str
    op: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    client: str


@dataclass
class Run:
    """What one execution showed.

    outcomes: the client operations that ended, in order.
    hits: per fault of the plan, whether it was really injected. enforced: per constraint, whether `after` was
    delivered after `before`. infeasible: constraints dropped because holding would have stopped the world.
    events, rows, exports, contents (message name to its text): only when asked for (`detail`), they are large.
    """

    scenario: str
    build: str
    plan: Plan
    verdict: Verdict
    violations: list[Violation] = field(default_factory=list)
    invariants: dict[str, InvariantVerdict] = field(default_factory=dict)
    digest: str = ""
    steps: int = 0
    virtual_us: int = 0
    wall_us: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    enforced: list[bool] = field(default_factory=list)
    infeasible: list[int] = field(default_factory=list)
    error: str | None = None
    events: list[Event] = field(default_factory=list)
    rows: list[RowChange] = field(default_factory=list)
    exports: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
