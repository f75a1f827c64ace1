"""Invariants: properties that must hold, always (safety) or eventually (once faults have healed).

A check looks at a `State` and raises AssertionError, or reports entities with `state.violated`. It may return how
many entities it put to the test; zero means that its precondition never arose: `not_exercised`, not `held`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from harness.run import RowChange

Phase = Literal["always", "eventually"]
always: Phase = "always"
eventually: Phase = "eventually"


class State(Protocol):
    """What an invariant may look at; the same in both worlds. Nothing here changes the world."""

    @property
    def now_us(self) -> int:
        """Microseconds since the start of the run."""

    @property
    def started_at_us(self) -> int:
        """When the run began, in microseconds since the Unix epoch: what dependencies and rows count from."""

    @property
    def outcomes(self) -> list[Any]:
        """The client operations that have ended, in order (harness.client.Outcome)."""

    @property
    def inputs(self) -> dict[str, Any]:
        """The workload inputs of this run's plan."""

    def sql(self, query: str, *arguments: Any) -> Any:
        """The value of a query that gives one row of one column."""

    def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """All rows of a query."""

    def changes(self, table: str) -> list[RowChange]:
        """Committed row changes of a table so far, oldest first."""

    def export(self, dependency: str) -> list[dict[str, Any]]:
        """What a simulated dependency says it did (a provider's ledger)."""

    def keys(self) -> dict[str, Any]:
        """The Redis store: key to value."""

    def violated(self, entity: str, sentence: str) -> None:
        """Reports that this entity violates the invariant; the check may go on."""


Check = Callable[[State], int | None]


@dataclass(frozen=True)
class Invariant:
    """A named check. `meaning` is the first line of its docstring."""

    name: str
    phase: Phase
    check: Check

    @property
    def meaning(self) -> str:
        lines = (self.check.__doc__ or "").strip().splitlines()
        return lines[0] if lines else self.name.replace("_", " ")


def invariant(phase: Phase) -> Callable[[Check], Invariant]:
    """Makes a named invariant of a check, to be shared by several scenarios."""

    def make(check: Check) -> Invariant:
        return Invariant(getattr(check, "__name__", "invariant"), phase, check)

    return make
