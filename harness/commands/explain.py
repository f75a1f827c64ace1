"""`paychaos explain`: what a name of ours means, or a recorded failure as its timeline."""

import argparse
import shutil
import sys
from pathlib import Path

from harness.campaign.recorder import STORY_ENDING
from harness.catalogue import Catalogue, installed_catalogue
from harness.commands.failures import RUNS, failure_file
from harness.commands.paint import paint
from harness.errors import unknown_name
from harness.fault import FaultKind, all_kinds, kind_named
from harness.invariant import Invariant
from harness.scenario import Scenario
from harness.target import Target
from results.story import render_story, story_from_json
from results.text import seconds, table, wrap
from results.timeline import DEFAULT_WIDTH

NAME = "explain"
HELP = "say what a fault, scenario, invariant or build is, or show a recorded failure as its timeline"
EXAMPLES = (
    "paychaos explain lost_reply",
    "paychaos explain checkout:staging",
    "paychaos explain runs/latest/failures/duplicate_charge-3f9c",
    "paychaos explain duplicate_charge-3f9c",
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME|FAILURE", help="a name of the catalogue, or a failure of a results folder"
    )


def execute(options: argparse.Namespace) -> int:
    story = failure_file(options.name, STORY_ENDING)
    text = tell_failure(story) if story else explain(options.name, installed_catalogue())
    print(paint(text, sys.stdout), end="")
    return 0


def tell_failure(path: Path) -> str:
    """The story as it was kept beside its reproducer, as wide as the terminal allows."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else DEFAULT_WIDTH
    return render_story(story_from_json(path.read_text(encoding="utf-8"), str(path)), max(width, 80))


def explain(name: str, catalogue: Catalogue) -> str:
    """Every meaning of a name, a paragraph each. UsageError when it has none."""
    paragraphs = []
    if name in {kind.name for kind in all_kinds()}:
        paragraphs.append(_fault(kind_named(name), catalogue))
    paragraphs += [_scenario(item) for item in catalogue.scenarios if item.name == name]
    if name in catalogue.invariants():
        paragraphs.append(_invariant(catalogue.invariants()[name], catalogue))
    target, _, build = name.partition(":")
    if target in catalogue.targets:
        paragraphs.append(_builds(catalogue.targets[target], build))
    if not paragraphs:
        raise unknown_name("name", name, _all_names(catalogue), "paychaos list scenarios")
    return "\n".join(paragraphs)


def _all_names(catalogue: Catalogue) -> list[str]:
    names = [kind.name for kind in all_kinds()] + [item.name for item in catalogue.scenarios]
    names += [*catalogue.invariants(), *catalogue.targets]
    names += [f"{target.name}:{build}" for target in catalogue.targets.values() for build in target.builds]
    names += [
        path.stem for path in (RUNS / "latest" / "failures").glob("*.json") if path.suffixes == [".json"]
    ]
    return names


def _fault(kind: FaultKind, catalogue: Catalogue) -> str:
    anchors = {
        "request": "a request, for example 'api>postgres COMMIT#1'",
        "reply": "an answer, for example 'api>postgres COMMIT#1.reply'",
        "message": "a request or an answer",
        "moment": "a message, or a time: '@1250000' is 1.25 s after the start",
        "operation": "an operation of the dependency that brings it",
    }
    rows = [("anchored to", anchors[kind.anchor])]
    for parameter, default in kind.parameters.items():
        shown = f"{seconds(int(default))} s" if parameter.endswith("_us") else default
        rows.append((f"parameter {parameter}", f"default {shown}" if shown != "" else "which one"))
    if kind.protocols:
        rows.append(("on links that speak", ", ".join(kind.protocols)))
    if kind.undo:
        rows.append(("undone by", kind.undo))
    rows.append(("used by", _words([item.name for item in catalogue.scenarios if kind.name in item.faults])))
    return _paragraph(f"fault {kind.name}: {kind.meaning}", rows)


def _scenario(scenario: Scenario) -> str:
    limits, virtual = scenario.limits, seconds(scenario.limits.virtual_us)
    rows = [
        ("target", scenario.target.name),
        ("faults", f"{_words(scenario.faults)} (at most {scenario.max_faults} in a plan)"),
        ("invariants", _words([f"{item.name} ({item.phase})" for item in scenario.invariants])),
        ("limits", f"{limits.steps:,} steps, {virtual} s, then {seconds(limits.liveness_us)} s to settle"),
    ]
    return _paragraph(f"scenario {scenario.name}: {scenario.meaning}", rows, scenario.workload.__doc__)


def _invariant(invariant: Invariant, catalogue: Catalogue) -> str:
    users = [
        item.name for item in catalogue.scenarios if invariant.name in {one.name for one in item.invariants}
    ]
    when = "at all times" if invariant.phase == "always" else "once faults have stopped and time has passed"
    rows = [("must hold", when), ("checked in", _words(users))]
    return _paragraph(f"invariant {invariant.name}: {invariant.meaning}", rows, invariant.check.__doc__)


def _builds(target: Target, build: str) -> str:
    """One build, or all of a target when none is named."""
    chosen = [target.build(build)] if build else list(target.builds.values())
    rows = [(f"{target.name}:{one.name}", one.meaning) for one in chosen]
    for one in chosen:
        processes = [f"{process.name} ({process.entry})" for process in target.processes_of(one.name)]
        rows.append((f"{one.name} runs", ", ".join(processes)))
    return _paragraph(f"target {target.name}", rows)


def _paragraph(title: str, rows: list[tuple[str, str]], docstring: str | None = None) -> str:
    width = max(len(name) for name, _ in rows)
    lines = [title]
    more = (docstring or "").strip().splitlines()[1:]
    lines += [f"  {line.strip()}".rstrip() for line in more if line.strip()]
    for row in table(rows, indent=2):
        first, *rest = wrap(row.strip(), DEFAULT_WIDTH - 2)
        lines.append(row if not rest else f"  {first}")
        lines += [" " * (width + 4) + line for line in rest]
    return "\n".join(lines) + "\n"


def _words(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
