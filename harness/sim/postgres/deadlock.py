"""Finds the cycle of a deadlock and words it as PostgreSQL does."""

from collections.abc import Mapping, Sequence

from harness.sim.postgres.client import Client
from harness.sim.postgres.control import Wait

_NO_BLOCKER = 0
_DATABASE = 16384  # the first id that PostgreSQL gives; the real one depends on what else the server holds


def cycle(start: int, waits: Mapping[int, Wait]) -> list[int]:
    """The real pids of a shortest cycle of waiting sessions through `start`, in order; empty when there is none."""
    paths = [[start]]
    seen = {start}
    while paths:
        path = paths.pop(0)
        wait = waits.get(path[-1])
        for blocker in wait.blockers if wait is not None else ():
            if blocker == start:
                return path
            if blocker in waits and blocker not in seen:
                seen.add(blocker)
                paths.append([*path, blocker])
    return []


def report(waits: Sequence[Wait], clients: Mapping[int, Client]) -> dict[str, str]:
    """The error fields for the victim, which is the first of the cycle; pids and transactions are the virtual ones."""
    lines = []
    for index, wait in enumerate(waits):
        blocker = waits[(index + 1) % len(waits)].pid
        lines.append(
            f"Process {_pid(wait.pid, clients)} waits for {wait.mode} on {_lock(wait, clients[blocker])}; "
            f"blocked by process {_pid(blocker, clients)}."
        )
    return {
        "C": "40P01",
        "M": "deadlock detected",
        "D": "\n".join(lines),
        "H": "See server log for query details.",
        "F": "deadlock.c",
        "L": "1133",
        "R": "DeadLockReport",
    }


def _pid(real: int, clients: Mapping[int, Client]) -> int:
    return clients[real].pid if real in clients else _NO_BLOCKER


def _lock(wait: Wait, holder: Client) -> str:
    if wait.locktype == "transactionid":
        return f"transaction {holder.serial}"
    if wait.locktype == "tuple":
        return f"tuple ({wait.page},{wait.tuple}) of relation {wait.relation} of database {_DATABASE}"
    if wait.locktype == "advisory":
        return f"advisory lock [{_DATABASE},{wait.classid},{wait.objid},{wait.objsubid}]"
    if wait.locktype == "virtualxid":
        return f"virtual transaction {holder.serial}"
    return f"{wait.locktype} {wait.relation} of database {_DATABASE}"
