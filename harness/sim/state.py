"""What invariants see of a simulated world."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, unknown_name
from harness.run import RowChange
from harness.sim.clock import START_US

if TYPE_CHECKING:
    from harness.sim.world import SimWorld


class SimState:
    """Reads beside the network: it takes no virtual time and moves nothing (see harness.invariant.State).

    Nothing changes between two steps of the network, so what was read once in a step is remembered for it.
    """

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._read: dict[Any, Any] = {}
        self._read_at_step = -1

    def _remembered(self, key: Any, read: Callable[[], Any]) -> Any:
        if self._read_at_step != self._world.network.steps:
            self._read_at_step = self._world.network.steps
            self._read.clear()
        if key not in self._read:
            self._read[key] = read()
        return self._read[key]

    @property
    def now_us(self) -> int:
        return self._world.elapsed_us

    @property
    def started_at_us(self) -> int:
        return START_US

    @property
    def outcomes(self) -> list[Any]:
        return self._world.outcomes

    @property
    def inputs(self) -> dict[str, Any]:
        return dict(self._world.inputs)

    def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        database = self._world.database
        if database is None:
            raise UsageError(
                "state.sql needs a database; give the Target a schema: Target(..., postgres='schema.sql')."
            )
        rows: list[dict[str, Any]] = self._remembered(
            (query, repr(arguments)), lambda: database.query(query, *arguments)
        )
        return rows

    def sql(self, query: str, *arguments: Any) -> Any:
        rows = self.rows(query, *arguments)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise UsageError(
                f"state.sql({query!r}) gave {len(rows)} rows; it is for one row of one column: use state.rows(…)."
            )
        return next(iter(rows[0].values()))

    def changes(self, table: str) -> list[RowChange]:
        changes: list[RowChange] = self._remembered(self.changes, self._world.row_changes)
        return [change for change in changes if change.table == table]

    def export(self, dependency: str) -> list[dict[str, Any]]:
        services = self._world.services
        if dependency not in services:
            raise unknown_name("dependency", dependency, services, "paychaos explain TARGET:BUILD")
        exported: list[dict[str, Any]] = self._remembered(dependency, services[dependency].export)
        return exported

    def keys(self) -> dict[str, Any]:
        if self._world.redis is None:
            raise UsageError("state.keys() needs a store; give the Target redis=True.")
        return self._world.redis.snapshot()

    def violated(self, entity: str, sentence: str) -> None:
        raise UsageError("state.violated is for invariants only.")
