"""`target.toml`: a target in any language, for the live world. Commands, readiness, links, builds; no Python needed.

The scenario that drives and observes it is Python as always: ``SHOP = target_from("target.toml")``.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.program import Program
from harness.target import Build, Dependency, Process, Target

_TOP = {"name", "postgres", "redis", "entry", "env", "dependencies", "process", "build"}
_PROCESS = {"name", "command", "image", "port", "ready", "instances", "env"}
_BUILD = {"name", "meaning", "env", "process"}


def target_from(path: str | Path) -> Target:
    """Reads the file. Raises UsageError with the place, the value, the rule and the remedy."""
    place = Path(path)
    try:
        document = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"target file {place} cannot be read ({error.strerror}); name an existing file."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"target file {place} is no TOML: {error}. Mend that line.") from error
    _check_keys(place, "the file", document, _TOP)
    target = Target(
        _text(place, document, "name"),
        _processes(place, document.get("process", [])),
        postgres=_schema(place, document.get("postgres")),
        redis=bool(document.get("redis", False)),
        env=_env(place, document.get("env", {})),
        dependencies=[_dependency(place, text) for text in document.get("dependencies", [])],
        builds=[_build(place, build) for build in document.get("build", [])],
        entry=document.get("entry"),
    )
    target.folder = place.resolve().parent
    return target


def _processes(place: Path, documents: list[Mapping[str, Any]]) -> list[Process]:
    if not documents:
        raise UsageError(
            f"target file {place} has no [[process]]; it needs at least the one that customers talk to."
        )
    found: list[Process] = []
    for document in documents:
        _check_keys(place, "[[process]]", document, _PROCESS)
        found.append(
            Program(
                _text(place, document, "name"),
                instances=int(document.get("instances", 1)),
                env=_env(place, document.get("env", {})),
                command=tuple(document.get("command", ())),
                image=document.get("image"),
                port=document.get("port"),
                ready=document.get("ready"),
            )
        )
    return found


def _build(place: Path, document: Mapping[str, Any]) -> Build:
    _check_keys(place, "[[build]]", document, _BUILD)
    processes = _processes(place, document["process"]) if "process" in document else None
    name = _text(place, document, "name")
    return Build(name, str(document.get("meaning", name)), processes, _env(place, document.get("env", {})))


def _dependency(place: Path, text: str) -> Dependency:
    """``targets.wiring:PROVIDER``: a Dependency that an installed package offers."""
    module, _, name = text.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"target file {place} names the dependency {text!r}, which cannot be loaded ({error});"
            " it reads package.module:NAME, as in targets.wiring:PROVIDER."
        ) from error
    if not isinstance(found, Dependency):
        raise UsageError(
            f"target file {place} names the dependency {text!r}, which is a {type(found).__name__}."
        )
    return found


def _schema(place: Path, text: str | None) -> str | None:
    if text is None:
        return None
    schema = place.parent / text
    if not schema.is_file():
        raise UsageError(f"target file {place} names the schema {text!r}; there is no file {schema}.")
    # A Target takes a text with a line break for SQL and any other for a path.
    return schema.read_text(encoding="utf-8") + "\n"


def _env(place: Path, document: Any) -> dict[str, str]:
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise UsageError(f"target file {place} has env = {document!r}; it must be a table of texts.")
    return dict(document)


def _text(place: Path, document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise UsageError(f"target file {place} has {key} = {value!r}; it must be a text.")
    return value


def _check_keys(place: Path, where: str, document: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(document) - known)
    if unknown:
        raise UsageError(
            f"target file {place}: {where} has the unknown key {unknown[0]!r}; it takes {', '.join(sorted(known))}."
        )
