"""Searches and replays as the command line does them: in a worker process of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.campaign.job import Job, ReplayJob, SearchJob, Subject
from harness.campaign.pool import Emitted, Failed, Pool
from harness.catalogue import open_catalogue
from harness.events import FailureShrunk, RunFinished, event_from_json
from harness.plan import Plan


class Searcher:
    """One warm worker; jobs for the same build share its start."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def failures(self, subject: Subject, *, runs: int, seed: int) -> list[FailureShrunk]:
        """What a search of so many runs finds, shrunk."""
        found = []
        for document in self._documents(SearchJob(subject, seed, runs, None)):
            if document.get("event") == FailureShrunk.__name__:
                event = event_from_json(document)
                assert isinstance(event, FailureShrunk)
                found.append(event)
        return found

    def replay(self, subject: Subject, plan: Plan | None = None, seed: int = 0) -> RunFinished:
        """One run: of a plan, or of the run that had this plan seed."""
        job = ReplayJob(subject, None if plan is None else plan.to_json(), seed=seed)
        (document,) = [document for document in self._documents(job) if "ran" in document]
        run = event_from_json(document["ran"])
        assert isinstance(run, RunFinished)
        return run

    def _documents(self, job: Job) -> Iterator[dict[str, Any]]:
        jobs = [job]
        for reply in self._pool.run(lambda: jobs.pop() if jobs else None):
            match reply:
                case (_, Emitted(document)):
                    yield document
                case (_, Failed(error)):
                    raise error


@contextmanager
def searcher(logs: Path) -> Iterator[Searcher]:
    """The catalogue is opened in this process too: plans may name fault kinds of a target's dependencies."""
    open_catalogue(None)
    with Pool(1, logs) as pool:
        yield Searcher(pool)
