"""Jobs: what a campaign asks of a worker process, as plain data on one JSON line each.

A worker finds targets and scenarios by itself, in the same place as the command line did: in installed
packages or in the user's file.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

World = Literal["simulated", "live"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is run, in which world.

    file: the user's Python file, or None for what installed packages offer. paths: where else its imports may
    be.
    """

    target: str
    build: str
    scenario: str
    file: str | None = None
    paths: tuple[str, ...] = ()
    world: World = "simulated"

    @property
    def path(self) -> Path | None:
        return None if self.file is None else Path(self.file)


@dataclass(frozen=True, slots=True)
class SearchJob:
    """Search one scenario. runs, seconds: the budget, whichever ends first; None for no limit of that kind.

    canary: the subject is the built-in program that must fail, not one of the user's.
    """

    subject: Subject
    seed: int
    runs: int | None
    seconds: float | None
    canary: bool = False


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """Run one plan several times. plan: as JSON; None for that of the campaign's run with the plan seed
    `seed`.
    """

    subject: Subject
    plan: dict[str, Any] | None
    seed: int = 0
    times: int = 1


Job = SearchJob | ReplayJob


def job_to_json(job: Job) -> dict[str, Any]:
    kind: Literal["search", "replay"] = "search" if isinstance(job, SearchJob) else "replay"
    return {"job": kind, **asdict(job)}


def job_from_json(document: dict[str, Any]) -> Job:
    fields = {name: value for name, value in document.items() if name not in ("job", "subject")}
    subject = Subject(**{**document["subject"], "paths": tuple(document["subject"]["paths"])})
    if document["job"] == "search":
        return SearchJob(subject, **fields)
    return ReplayJob(subject, **fields)
