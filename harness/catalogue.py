"""The catalogue: every target and scenario that can be run, found through entry points or in one file of the
user's.

An installed package offers its own with the entry point groups `paychaos.targets` and `paychaos.scenarios`;
each entry point is a function that returns a list. Nothing here knows what they are about.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import PaychaosError, TargetError, UsageError, unknown_name
from harness.invariant import Invariant
from harness.scenario import Scenario
from harness.target import Build, Target
from harness.userfile import load_module

TARGETS_GROUP = "paychaos.targets"
SCENARIOS_GROUP = "paychaos.scenarios"

Item = TypeVar("Item")


@dataclass(frozen=True)
class Catalogue:
    """Targets by name, and scenarios in the order in which they were found.

    file: the user's file that they come from; None for what installed packages offer.
    """

    targets: dict[str, Target] = field(default_factory=dict)
    scenarios: tuple[Scenario, ...] = ()
    file: Path | None = None

    def target(self, name: str) -> Target:
        if name not in self.targets:
            raise unknown_name("target", name, self.targets, "paychaos list targets")
        return self.targets[name]

    def build(self, text: str) -> tuple[Target, Build]:
        """What ``checkout:staging`` names; the build may be left out when a target has only one."""
        name, colon, build = text.partition(":")
        target = self.target(name)
        if colon:
            return target, target.build(build)
        if len(target.builds) == 1:
            return target, next(iter(target.builds.values()))
        builds = ", ".join(f"{name}:{other}" for other in target.builds)
        raise UsageError(f"target {name!r} has {len(target.builds)} builds; name one of them: {builds}.")

    def scenarios_of(self, target: Target) -> list[Scenario]:
        return [scenario for scenario in self.scenarios if scenario.target is target]

    def scenario(self, name: str, target: Target | None = None) -> Scenario:
        """The scenario of that name, among those of one target when it is given."""
        known = {item.name: item for item in self.scenarios if target is None or item.target is target}
        if name not in known:
            raise unknown_name("scenario", name, known, "paychaos list scenarios")
        return known[name]

    def invariants(self) -> dict[str, Invariant]:
        """Every invariant that some scenario checks, by name."""
        return {invariant.name: invariant for scenario in self.scenarios for invariant in scenario.invariants}


@cache
def installed_catalogue() -> Catalogue:
    """What the installed packages offer. TargetError when one of their functions cannot be called."""
    targets: list[Target] = [target for entry in _entries(TARGETS_GROUP) for target in _call(entry, Target)]
    scenarios: list[Scenario] = [
        item for entry in _entries(SCENARIOS_GROUP) for item in _call(entry, Scenario)
    ]
    return catalogue_of(targets, scenarios)


def file_catalogue(path: Path) -> Catalogue:
    """What one Python file defines. UsageError, with file and line, when it cannot be used."""
    module = load_module(path)
    values = list(vars(module).values())
    scenarios = _unique(value for value in values if isinstance(value, Scenario))
    targets = _unique(value for value in values if isinstance(value, Target))
    if not scenarios:
        raise UsageError(
            f"{path} holds no scenario; decorate an async function with"
            " `@scenario(target, faults=[…])` from harness."
        )
    return catalogue_of([*targets, *(scenario.target for scenario in scenarios)], scenarios, path)


def open_catalogue(file: Path | None) -> Catalogue:
    return installed_catalogue() if file is None else file_catalogue(file)


def catalogue_of(
    targets: Iterable[Target], scenarios: Iterable[Scenario], file: Path | None = None
) -> Catalogue:
    """Checked: names are unique, and every scenario can be run and can fail."""
    by_name: dict[str, Target] = {}
    for target in _unique(targets):
        if by_name.setdefault(target.name, target) is not target:
            raise UsageError(f"target {target.name!r} is defined twice; give one of them another name.")
    found = tuple(_unique(scenarios))
    seen: set[tuple[str, str]] = set()
    for scenario in found:
        key = (scenario.target.name, scenario.name)
        if key in seen:
            place = place_of(scenario.workload)
            raise UsageError(
                f"{place}scenario {scenario.name!r} is defined twice for target {key[0]!r}; rename one."
            )
        seen.add(key)
        by_name.setdefault(scenario.target.name, scenario.target)
        check_scenario(scenario)
    return Catalogue(by_name, found, file)


def check_scenario(scenario: Scenario) -> None:
    """UsageError, with its place, when a scenario could never run or could never fail."""
    place, name = place_of(scenario.workload), scenario.name
    if not inspect.iscoroutinefunction(scenario.workload):
        raise UsageError(
            f"{place}scenario {name!r} is a plain function; a workload is `async def {name}(world)`."
        )
    if len(inspect.signature(scenario.workload).parameters) != 1:
        raise UsageError(
            f"{place}scenario {name!r} takes {_parameters(scenario.workload)};"
            " a workload takes the world alone."
        )
    if not scenario.invariants:
        raise UsageError(
            f"{place}scenario {name!r} has no invariant, so no run of it can fail;"
            f" add one with `@{name}.invariant(always)`."
        )
    for invariant in scenario.invariants:
        _check_invariant(invariant)


def _check_invariant(invariant: Invariant) -> None:
    place, name = place_of(invariant.check), invariant.name
    if inspect.iscoroutinefunction(invariant.check):
        raise UsageError(f"{place}invariant {name!r} is async; a check is a plain `def {name}(state)`.")
    if len(inspect.signature(invariant.check).parameters) != 1:
        raise UsageError(
            f"{place}invariant {name!r} takes {_parameters(invariant.check)}; a check takes the state alone."
        )


def place_of(function: Callable[..., Any]) -> str:
    """``file.py:12: `` of a function; empty when it has no source."""
    code = getattr(function, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}: " if code else ""


def _parameters(function: Callable[..., Any]) -> str:
    return f"({', '.join(inspect.signature(function).parameters)})"


def _entries(group: str) -> list[EntryPoint]:
    return sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value))


def _call(entry: EntryPoint, kind: type[Item]) -> list[Item]:
    """The list that the entry point's function gives."""
    try:
        found = list(entry.load()())
    except PaychaosError:
        raise
    except Exception as error:
        raise TargetError(
            f"the entry point {entry.name!r} = {entry.value!r} of group {entry.group!r} failed:"
            f" {type(error).__name__}: {error}. Repair or uninstall the package that brings it."
        ) from error
    for item in found:
        if not isinstance(item, kind):
            raise TargetError(
                f"the entry point {entry.name!r} = {entry.value!r} of group {entry.group!r} gave {item!r};"
                f" it must give a list of {kind.__name__}."
            )
    return found


def _unique(items: Iterable[Item]) -> list[Item]:
    """Without repetition, by identity, in order."""
    return list({id(item): item for item in items}.values())
