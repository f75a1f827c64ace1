"""Finds what a user means by a failure or a run: a path as it was printed, or a name in the latest results."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from harness import reproducer
from harness.campaign.job import Subject
from harness.campaign.recorder import PLANS, STORY_ENDING
from harness.errors import UsageError
from harness.reproducer import Reproducer
from results.folder import MANIFEST, resolve
from results.linefile import read_lines
from results.record import RunRecord
from results.store import FAILURES, ResultStore

RUNS = Path("runs")
LATEST = RUNS / "latest"
OF_FILE = re.compile(r"(?P<file>.+\.py):(?P<scenario>[^:/]+):(?P<seed>\d+)")
ENDINGS = (STORY_ENDING, ".json", ".txt")


@dataclass(frozen=True)
class Found:
    """What is to be run again. plan: as JSON, None when only the plan seed is known. digest: what it gave, if
    known.
    """

    subject: Subject
    plan: dict[str, Any] | None
    seed: int
    digest: str = ""
    failure: Reproducer | None = None


def find(text: str) -> Found:
    """A reproducer, a run or a seed.

    ``failures/x.json``, ``x``, ``lost_reply-14``, ``runs/a/lost_reply-14``, ``lost_reply:SEED``,
    ``file.py:two:SEED``.
    """
    path = failure_file(text, ".json")
    if path is None and text.endswith(".json"):
        path = Path(text)
    if path is not None:
        return _of_reproducer(reproducer.read(path))
    of_file = OF_FILE.fullmatch(text)
    if of_file:
        return Found(Subject("", "", of_file["scenario"], of_file["file"]), None, int(of_file["seed"]))
    folder, name = (Path(text).parent, Path(text).name) if "/" in text else (LATEST, text)
    store = ResultStore.open(folder) if (resolve(folder) / MANIFEST).exists() else None
    scenario, _, seed = name.rpartition(":")
    if seed.isdigit():
        return _of_seed(store, scenario, int(seed))
    run = store.run(name) if store else None
    if store and run:
        return _of_run(store, run)
    raise UsageError(_unknown(text, store))


def failure_file(name: str, ending: str) -> Path | None:
    """The file of a failure with this ending; None when the name is not one of a failure.

    Any of its files, or its path or its bare name without an ending, means the failure.
    """
    stem = name
    for known in ENDINGS:
        stem = stem.removesuffix(known)
    for base in (Path(stem), LATEST / FAILURES / stem):
        if base.name:
            path = resolve(base.with_name(base.name + ending))
            if path.is_file():
                return path
    return None


def failure_names(folder: Path) -> list[str]:
    """The failures that a results folder holds."""
    found = (resolve(folder) / FAILURES).glob("*.json")
    return sorted(path.stem for path in found if not path.name.endswith(STORY_ENDING))


def _of_reproducer(found: Reproducer) -> Found:
    subject = Subject(found.target, found.build, found.scenario, found.source or None)
    return Found(subject, found.plan.to_json(), found.plan.seed, found.digest, found)


def _of_run(store: ResultStore, run: RunRecord) -> Found:
    subject = Subject(run.target, run.build, run.scenario, store.info.get("file") or None)
    plans = {row["run"]: row["plan"] for row in _plans(store)}
    return Found(subject, plans.get(run.run), run.seed, run.digest)


def _of_seed(store: ResultStore | None, scenario: str, seed: int) -> Found:
    """A run of the folder that has this seed, or one that nobody recorded here, of the scenario named."""
    runs = [run for run in store.runs if run.seed == seed and scenario in ("", run.scenario)] if store else []
    if store and len(runs) == 1:
        return _of_run(store, runs[0])
    if len(runs) > 1:
        names = ", ".join(f"{run.scenario}:{seed}" for run in runs)
        raise UsageError(
            f"seed {seed} is that of {len(runs)} runs, one for each scenario; name one: {names}."
        )
    if not scenario:
        raise UsageError(
            f"seed {seed} is not in {LATEST}; name its scenario and build:"
            f" `paychaos replay SCENARIO:{seed} --build TARGET:BUILD`."
        )
    return Found(Subject("", "", scenario), None, seed)


def _plans(store: ResultStore) -> list[dict[str, Any]]:
    path = store.folder / PLANS
    return read_lines(path).rows if path.exists() else []


def _unknown(text: str, store: ResultStore | None) -> str:
    names = failure_names(store.folder) + [run.run for run in store.runs] if store else []
    close = get_close_matches(re.sub(r".*/", "", text), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    where = (
        f"the failures of the last run are in {LATEST}/{FAILURES}" if store else f"there is no {LATEST} here"
    )
    return (
        f"{text!r} is no reproducer, run or seed;{hint} {where}."
        " Give a file of failures/, a run id (lost_reply-14) or SCENARIO:SEED."
    )
