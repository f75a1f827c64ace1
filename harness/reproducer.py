"""Reproducers: versioned JSON files that replay a failed run.

`read` answers every damaged or newer file with one UsageError: the value, the rule, the remedy.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.boundary import signature_of
from harness.errors import InfrastructureError, UsageError
from harness.fault import all_kinds
from harness.plan import Plan, plan_from_json

FORMAT = 1
"""The newest format that this version reads, and the one that it writes."""

_TEXTS = ("paychaos", "target", "build", "scenario", "invariant", "entity", "sentence", "digest")


def _our_version() -> str:
    try:
        return version("paychaos")
    except PackageNotFoundError:
        return "unpackaged"


@dataclass(frozen=True)
class Reproducer:
    """A failure that runs again.

    plan: the shrunk plan. digest: of the History that it must give on the build it was found on.
    found_seed, found_run: the campaign's seed and the run number.
    shrunk_from: the size of the first failing plan.
    paychaos: the version that wrote it.
    source: the user's file that defines the scenario, as it was named; empty for an installed one.
    """

    target: str
    build: str
    scenario: str
    invariant: str
    entity: str
    sentence: str
    plan: Plan
    digest: str
    found_seed: int
    found_run: int
    shrunk_from: int
    source: str = ""
    paychaos: str = field(default_factory=_our_version)

    @property
    def signature(self) -> str:
        """Groups failures of one scenario, invariant and cause; no numbers: equal in all campaigns."""
        return signature_of(self.scenario, self.invariant, self.plan)

    @property
    def name(self) -> str:
        """``duplicate_charge-3f9c``: the file's name without its ending."""
        return f"{self.invariant}-{self.signature[:4]}"

    def with_source(self, source: str) -> "Reproducer":
        return replace(self, source=source)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "paychaos": self.paychaos,
            "target": self.target,
            "build": self.build,
            "scenario": self.scenario,
            "source": self.source,
            "invariant": self.invariant,
            "entity": self.entity,
            "sentence": self.sentence,
            "plan": self.plan.to_json(),
            "digest": self.digest,
            "found": {"seed": self.found_seed, "run": self.found_run},
            "shrunk_from": self.shrunk_from,
        }


def write(reproducer: Reproducer, path: Path) -> None:
    """Writes the file whole or not at all. Raises InfrastructureError when the disk refuses."""
    text = json.dumps(reproducer.to_json(), indent=2, ensure_ascii=False) + "\n"
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InfrastructureError(
            f"reproducer {path} cannot be written: {error.strerror}."
            " Free the disk or name another folder with --out."
        ) from error


def read(path: Path) -> Reproducer:
    """Raises UsageError when the file is missing, damaged or of a newer format."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"reproducer {path} does not exist. The failures of the last run are in runs/latest/failures."
        ) from None
    except (OSError, ValueError) as error:
        raise _damaged(path.name, str(error).splitlines()[0]) from None
    return reproducer_from_json(document, path.name)


def reproducer_from_json(document: Any, name: str = "of another process") -> Reproducer:
    """The inverse of `Reproducer.to_json`; `name` is what errors call it."""
    if not isinstance(document, dict):
        raise _damaged(name, "it holds no JSON object")
    _check_format(name, document)
    return _from_document(name, document)


def _check_format(name: str, document: Mapping[str, Any]) -> None:
    written = document.get("format")
    if type(written) is not int or written < 1:
        raise _damaged(name, f"its format is {written!r}, not a whole number from 1")
    if written > FORMAT:
        raise UsageError(
            f"reproducer {name} was written in format {written}; this version reads up to {FORMAT}."
            f" Upgrade, or re-run with its seed: {_seed_line(document)}"
        )


def _seed_line(document: Mapping[str, Any]) -> str:
    found = document.get("found")
    seed = found.get("seed") if isinstance(found, dict) else None
    what = document.get("source") or f"{document.get('target')}:{document.get('build')}"
    return f"paychaos run {what} --scenario {document.get('scenario')} --seed {seed}"


def _from_document(name: str, document: Mapping[str, Any]) -> Reproducer:
    for key in _TEXTS:
        if not isinstance(document.get(key), str):
            raise _damaged(name, f"its {key!r} is {document.get(key)!r}, not a text")
    found = document.get("found")
    if not isinstance(found, dict):
        raise _damaged(name, f"its 'found' is {found!r}, not the seed and the run")
    numbers = {f"found.{key}": found.get(key) for key in ("seed", "run")}
    for key, value in {**numbers, "shrunk_from": document.get("shrunk_from")}.items():
        if type(value) is not int:
            raise _damaged(name, f"its {key!r} is {value!r}, not a whole number")
    source = str(document.get("source", ""))
    try:
        _meet_faults(document["plan"], source)
        plan = plan_from_json(document["plan"])
    except (UsageError, AttributeError, KeyError, TypeError) as error:
        raise _damaged(name, f"its plan cannot be read ({error})") from None
    return Reproducer(
        plan=plan,
        found_seed=found["seed"],
        found_run=found["run"],
        shrunk_from=document["shrunk_from"],
        source=source,
        **{key: document[key] for key in _TEXTS},
    )


def _damaged(name: str, why: str) -> UsageError:
    return UsageError(
        f"reproducer {name} is damaged: {why}. Restore the file, or run the campaign again with its seed."
    )


def _meet_faults(plan: Mapping[str, Any], source: str) -> None:
    """A dependency brings fault kinds of its own; a plan that names one is read once the targets are loaded."""
    known = {kind.name for kind in all_kinds()}
    if any(item.get("fault") not in known for item in plan.get("faults", [])):
        from harness.catalogue import open_catalogue

        open_catalogue(Path(source) if source else None)
