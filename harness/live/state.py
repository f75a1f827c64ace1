"""What invariants see of a live world (see harness.invariant.State). It reads beside the gate and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, unknown_name
from harness.run import RowChange

if TYPE_CHECKING:
    from harness.live.world import LiveWorld


class LiveState:
    """The same view as in the simulation, of real stores."""

    def __init__(self, world: LiveWorld) -> None:
        self._world = world

    @property
    def now_us(self) -> int:
        return self._world.elapsed_us

    @property
    def started_at_us(self) -> int:
        return self._world.started_at_us

    @property
    def outcomes(self) -> list[Any]:
        return self._world.outcomes

    @property
    def inputs(self) -> dict[str, Any]:
        return dict(self._world.inputs)

    def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        database = self._world.rig.database
        if database is None:
            raise UsageError(
                "state.sql needs a database; give the Target a schema: Target(..., postgres='schema.sql')."
            )
        return database.query(query, *arguments)

    def sql(self, query: str, *arguments: Any) -> Any:
        rows = self.rows(query, *arguments)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise UsageError(
                f"state.sql({query!r}) gave {len(rows)} rows; it is for one row of one column: use state.rows(…)."
            )
        return next(iter(rows[0].values()))

    def changes(self, table: str) -> list[RowChange]:
        return [change for change in self._world.row_changes() if change.table == table]

    def export(self, dependency: str) -> list[dict[str, Any]]:
        hosts = self._world.rig.hosts
        if dependency not in hosts:
            raise unknown_name("dependency", dependency, hosts, "paychaos explain TARGET:BUILD")
        exported: list[dict[str, Any]] = hosts[dependency].service.export()
        return exported

    def keys(self) -> dict[str, Any]:
        store = self._world.rig.redis
        if store is None:
            raise UsageError("state.keys() needs a store; give the Target redis=True.")
        return store.snapshot()

    def violated(self, entity: str, sentence: str) -> None:
        raise UsageError("state.violated is for invariants only.")
