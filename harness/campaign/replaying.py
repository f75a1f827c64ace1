"""Runs one plan again, in a worker process, as the campaign did: same build, same hash seed, same digest."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.campaign.job import Job, ReplayJob
from harness.campaign.pool import WORKER_COMMAND, Emitted, Failed, Pool
from harness.errors import HarnessError
from harness.events import RunFinished, event_from_json
from harness.story.telling import Telling, telling_from_json


@dataclass(frozen=True)
class Replayed:
    """What one plan did, `len(runs)` times.

    telling: of the first run. hits, enforced, infeasible: see harness.run.Run, of the first run. difference:
    index and both events, in words, where a later run first parted from the first one.
    """

    runs: tuple[RunFinished, ...]
    telling: Telling
    hits: tuple[bool, ...] = ()
    enforced: tuple[bool, ...] = ()
    infeasible: tuple[int, ...] = ()
    difference: tuple[str, ...] = ()

    @property
    def first(self) -> RunFinished:
        return self.runs[0]

    @property
    def is_steady(self) -> bool:
        """Every run had the same digest."""
        return len({run.digest for run in self.runs}) == 1

    def shown(self, invariant: str, entity: str) -> int:
        """In how many runs this failure was seen: same invariant, same entity."""
        wanted = (invariant, entity)
        return sum(1 for run in self.runs if wanted in {one.signature for one in run.violations})


class Replays:
    """One warm worker for any number of replays. A context manager: leaving it stops the worker."""

    def __init__(self, command: tuple[str, ...] = WORKER_COMMAND) -> None:
        self._logs = tempfile.TemporaryDirectory(prefix="paychaos-")
        self._pool = Pool(1, Path(self._logs.name), command)

    def __enter__(self) -> "Replays":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._logs.cleanup()

    def replay(self, job: ReplayJob) -> Replayed:
        """Raises what the worker met: TargetError, InfrastructureError, NotSimulated and so on."""
        documents = self._documents(job)
        first = documents[0]
        difference: list[str] = next((one["difference"] for one in documents if one.get("difference")), [])
        runs = [event_from_json(item["ran"]) for item in documents]
        return Replayed(
            tuple(run for run in runs if isinstance(run, RunFinished)),
            telling_from_json(first["telling"]),
            tuple(first["hits"]),
            tuple(first["enforced"]),
            tuple(first["infeasible"]),
            tuple(difference),
        )

    def _documents(self, job: Job) -> list[dict[str, Any]]:
        documents = []
        waiting = [job]
        for reply in self._pool.run(lambda: waiting.pop() if waiting else None):
            match reply:
                case (_, Emitted(document)):
                    documents.append(document)
                case (_, Failed(error)):
                    raise error
        if not documents:
            raise HarnessError("a worker ended its job without a word")
        return documents


def replay(job: ReplayJob, command: tuple[str, ...] = WORKER_COMMAND) -> Replayed:
    """One replay on a worker of its own."""
    with Replays(command) as replays:
        return replays.replay(job)
