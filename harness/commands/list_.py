"""`paychaos list`: what can be run, checked and injected."""

import argparse
from pathlib import Path

from harness.catalogue import Catalogue, open_catalogue
from harness.commands.values import is_file_name
from harness.errors import UsageError
from harness.fault import all_kinds
from results.text import table

NAME = "list"
HELP = "show all targets, builds, scenarios, invariants or faults"
EXAMPLES = ("paychaos list builds", "paychaos list scenarios", "paychaos list scenarios tickets_chaos.py")

NOUNS = ("targets", "builds", "scenarios", "invariants", "faults")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("noun", choices=NOUNS, metavar="NOUN", help=", ".join(NOUNS))
    parser.add_argument(
        "file", nargs="?", metavar="FILE.py", help="look in this file instead of installed packages"
    )


def execute(options: argparse.Namespace) -> int:
    if options.file is not None and not is_file_name(options.file):
        raise UsageError(
            f"{options.file!r} is not a Python file;"
            f" `paychaos list {options.noun}` alone shows what is installed."
        )
    catalogue = open_catalogue(Path(options.file) if options.file else None)
    for line in table(rows(options.noun, catalogue)):
        print(line)
    return 0


def rows(noun: str, catalogue: Catalogue) -> list[list[str]]:
    """A row per thing: its name first, its meaning last."""
    if noun == "targets":
        return [
            [target.name, _targets_make_up(catalogue, target.name)] for target in catalogue.targets.values()
        ]
    if noun == "builds":
        return [
            [f"{target.name}:{build.name}", build.meaning]
            for target in catalogue.targets.values()
            for build in target.builds.values()
        ]
    if noun == "scenarios":
        return [[item.name, item.target.name, item.meaning] for item in catalogue.scenarios]
    if noun == "invariants":
        return [[item.name, item.phase, item.meaning] for _, item in sorted(catalogue.invariants().items())]
    return [[kind.name, kind.meaning] for kind in all_kinds()]


def _targets_make_up(catalogue: Catalogue, name: str) -> str:
    target = catalogue.targets[name]
    parts = [process.name for process in target.processes]
    parts += ["PostgreSQL"] * (target.schema is not None) + ["Redis"] * target.redis
    parts += [dependency.name for dependency in target.dependencies]
    return ", ".join(parts)
