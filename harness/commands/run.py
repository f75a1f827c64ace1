"""`paychaos run`: searches the scenarios of a build, and says whether it is safe to ship."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from harness.campaign.campaign import Assignment, Campaign
from harness.campaign.job import Subject
from harness.campaign.progress import Progress
from harness.campaign.recorder import Recorder
from harness.catalogue import Catalogue, open_catalogue
from harness.commands import values
from harness.commands.paint import paint
from harness.doctor import infrastructure_line
from harness.errors import UsageError
from harness.realtime import seed_of_today
from harness.scenario import Scenario
from results.conclusion import conclude
from results.report import header_line, render_report
from results.summary import CampaignSummary

NAME = "run"
HELP = "search the scenarios of a build for violations, shrink them, and give the verdict"
EXAMPLES = (
    "paychaos run checkout:staging",
    "paychaos run checkout:reference --runs 2000 --seed 7",
    "paychaos run checkout:staging --scenario lost_reply --seconds 20 --out runs/candidate",
    "paychaos run tickets_chaos.py",
)

DEFAULT_SECONDS = 60.0
RUNS = Path("runs")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", metavar="TARGET:BUILD|FILE.py", help="a build of the catalogue, or your own file"
    )
    parser.add_argument("--build", metavar="TARGET:BUILD", help="which build of the targets in FILE.py")
    parser.add_argument(
        "--scenario", metavar="NAME", action="append", default=[], help="only this one (repeatable)"
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--runs", type=values.runs, metavar="N", help="so many runs, shared by the scenarios")
    budget.add_argument(
        "--seconds", type=values.seconds, metavar="S", help=f"so long (default {DEFAULT_SECONDS:.0f})"
    )
    parser.add_argument("--world", choices=("simulated", "live"), default="simulated", help=values.WORLD_HELP)
    parser.add_argument(
        "--seed", type=values.seed, metavar="N", help="explore these runs (default: today's date)"
    )
    parser.add_argument(
        "--workers", type=values.workers, metavar="N", help="worker processes (default: one per core)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="a new folder for the results (default: under runs/)"
    )
    voice = parser.add_mutually_exclusive_group()
    voice.add_argument("--quiet", action="store_true", help="the verdict and what is wrong, nothing else")
    voice.add_argument("--verbose", action="store_true", help="the end of each scenario, too")


def execute(options: argparse.Namespace) -> int:
    file = Path(options.what) if values.is_file_name(options.what) else None
    if file is None and options.build is not None:
        raise UsageError(
            f"--build {options.build} goes with a FILE.py; `paychaos run {options.build}` runs that build."
        )
    catalogue = open_catalogue(file)
    subjects = subjects_of(options, catalogue)
    seed = seed_of_today() if options.seed is None else options.seed
    folder = new_folder(options.out, seed_of_today())
    assignment = Assignment(
        tuple(subjects),
        seed,
        workers=min(options.workers or os.cpu_count() or 1, len(subjects)),
        runs=options.runs,
        seconds=options.seconds or (None if options.runs else DEFAULT_SECONDS),
        infrastructure=infrastructure_line(
            [catalogue.target(subject.target) for subject in subjects], options.world
        ),
    )
    progress = Progress(sys.stderr, 0 if options.quiet else 2 if options.verbose else 1)
    recorder = Recorder(folder, manifest_info(options, assignment))
    campaign = Campaign(assignment, catalogue, recorder, progress)
    if not options.quiet:
        print(header_line(campaign.summary()), flush=True)
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        summary = campaign.run()
    finally:
        progress.done()
    report = render_report(summary)
    told = short_report(summary) if options.quiet else report.removeprefix(header_line(summary) + "\n")
    print(paint(told, sys.stdout), end="")
    return conclude(summary).exit_code


def subjects_of(options: argparse.Namespace, catalogue: Catalogue) -> list[Subject]:
    """What to search: each chosen scenario on the build that was asked for."""
    file = None if catalogue.file is None else str(options.what)
    build_text = options.what if file is None else options.build
    if build_text is not None:
        target, build = catalogue.build(build_text)
        chosen = [(scenario, build.name) for scenario in catalogue.scenarios_of(target)]
    else:
        chosen = [
            (scenario, catalogue.build(scenario.target.name)[1].name) for scenario in catalogue.scenarios
        ]
    if not chosen:
        raise UsageError(
            f"target {build_text!r} has no scenario; `paychaos list scenarios` shows which targets have some."
        )
    chosen = _named(chosen, options.scenario, catalogue)
    return [
        Subject(scenario.target.name, build, scenario.name, file, world=options.world)
        for scenario, build in chosen
    ]


def _named(
    chosen: list[tuple[Scenario, str]], names: list[str], catalogue: Catalogue
) -> list[tuple[Scenario, str]]:
    if not names:
        return chosen
    targets = {scenario.target for scenario, _ in chosen}
    for name in names:
        catalogue.scenario(name, targets.pop() if len(targets) == 1 else None)
    return [(scenario, build) for scenario, build in chosen if scenario.name in names]


def new_folder(out: Path | None, today: int) -> Path:
    """`--out`, or the first free ``runs/20261121-a``, ``-b`` and so on."""
    if out is not None:
        if out.exists():
            raise UsageError(
                f"--out {out} exists; results are never written over. Name a new folder, or remove it."
            )
        return out
    number = 1
    while (RUNS / f"{today}-{letters(number)}").exists():
        number += 1
    return RUNS / f"{today}-{letters(number)}"


def letters(number: int) -> str:
    """1 is a, 26 is z, 27 is aa."""
    text = ""
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("a") + digit) + text
    return text


def manifest_info(options: argparse.Namespace, assignment: Assignment) -> dict[str, object]:
    """What the results folder keeps about how it came to be."""
    first = assignment.subjects[0]
    return {
        "command": ["paychaos", *sys.argv[1:]],
        "what": options.what,
        "target": first.target,
        "build": first.build,
        "file": first.file or "",
        "scenarios": [subject.scenario for subject in assignment.subjects],
        "world": options.world,
        "seed": assignment.seed,
        "runs": assignment.runs,
        "seconds": assignment.seconds,
        "workers": assignment.workers,
        "infrastructure": assignment.infrastructure,
        "python": sys.version.split()[0],
    }


def short_report(summary: CampaignSummary) -> str:
    """For --quiet: the seed, each failure's replay line and the verdict."""
    lines = [f"seed {summary.seed}"] if summary.failures else []
    lines += [f"problem: {problem}" for problem in summary.problems]
    lines.append(str(conclude(summary)))
    lines += [
        f"✗ {one.invariant} · {one.scenario}   paychaos replay {one.replay}" for one in summary.failures
    ]
    return "\n".join(lines) + "\n"


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
