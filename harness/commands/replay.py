"""`paychaos replay`: one run again, told as a timeline, with its digest and its verdict."""

import argparse
import shutil
import sys
from dataclasses import replace

from harness import __version__
from harness.campaign.job import ReplayJob, Subject
from harness.campaign.replaying import Replayed
from harness.campaign.replaying import replay as run_again
from harness.catalogue import open_catalogue
from harness.commands import values
from harness.commands.failures import Found, find
from harness.commands.paint import paint
from harness.errors import UsageError
from harness.events import RunFinished
from harness.plan import Plan
from harness.story.words import constraint_line, fault_line
from results.ledger import render_ledger
from results.rows import render_rows
from results.text import clean, count, table, wrap
from results.timeline import DEFAULT_WIDTH, render_timeline

NAME = "replay"
HELP = "run a reproducer, a recorded run or a seed again, and show it as a timeline"
EXAMPLES = (
    "paychaos replay runs/latest/failures/duplicate_charge-3f9c.json",
    "paychaos replay duplicate_charge-3f9c --build checkout:reference",
    "paychaos replay lost_reply-14 --times 20",
    "paychaos replay lost_reply:21244000960526 --build checkout:staging",
)

EXIT_CODES = {"pass": 0, "inconclusive": 3, "fail": 1, "error": 3}
FLAKY = 5


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="REPRODUCER|RUN_ID|SEED",
        help="a file of failures/, a run of runs/latest, or SCENARIO:SEED",
    )
    parser.add_argument(
        "--build", metavar="TARGET:BUILD", help="run it on this build instead of the one it was found on"
    )
    parser.add_argument(
        "--times", type=values.times, metavar="K", default=1, help="so often, comparing digests (default 1)"
    )
    parser.add_argument("--world", choices=("simulated", "live"), default="simulated", help=values.WORLD_HELP)
    voice = parser.add_mutually_exclusive_group()
    voice.add_argument("--quiet", action="store_true", help="the verdict and the digest alone")
    voice.add_argument("--verbose", action="store_true", help="the digest and the verdict of each time")


def execute(options: argparse.Namespace) -> int:
    found = find(options.what)
    subject = replace(subject_on(found, options.build), world=options.world)
    done = run_again(ReplayJob(subject, found.plan, found.seed, options.times))
    build = f"{subject.target}:{subject.build}"
    print(f"paychaos {__version__} · seed {done.first.plan.seed} · {build} · {subject.scenario}")
    if not options.quiet:
        width = max(80, shutil.get_terminal_size().columns) if sys.stdout.isatty() else DEFAULT_WIDTH
        print(paint("\n".join(account(done, width)), sys.stdout))
    if options.verbose:
        for number, run in enumerate(done.runs, start=1):
            print(f"run {number}: {run.verdict}, digest {run.digest}")
    for line in conclusion(done, found, is_other_build=subject.build != found.subject.build):
        print(line)
    return exit_code(done)


def subject_on(found: Found, build_text: str | None) -> Subject:
    """What to run, on which build; every name checked here, so that a mistake costs nothing."""
    recorded = found.subject
    if recorded.path is not None and not recorded.path.exists():
        raise UsageError(
            f"the scenario {recorded.scenario!r} is defined in {recorded.file}, which is not here;"
            " run `paychaos replay` from the folder where it was found."
        )
    if build_text is None and not recorded.target and recorded.file is None:
        raise UsageError(
            f"no run here has the seed {found.seed}; name the build that it is for: --build TARGET:BUILD."
        )
    catalogue = open_catalogue(recorded.path)
    if recorded.target:
        build_text = build_text or f"{recorded.target}:{recorded.build}"
    target, build = catalogue.build(build_text or catalogue.scenario(recorded.scenario).target.name)
    catalogue.scenario(recorded.scenario, target)
    return replace(recorded, target=target.name, build=build.name)


def account(done: Replayed, width: int) -> list[str]:
    """The run as a person reads it: what was violated, by what plan, what happened, and what it left."""
    run, telling = done.first, done.telling
    lines = [""]
    for violation in run.violations:
        lines.append(f"✗ {violation.invariant} · {clean(violation.entity)}")
        lines += [f"  {line}" for line in wrap(clean(violation.sentence), width - 2)]
    if run.error:
        lines += wrap(f"! {clean(run.error)}", width)
    lines += ["", *plan_in_words(run.plan, done), "", render_timeline(telling.timeline, width)]
    if telling.rows:
        lines += ["The rows, as they changed:", render_rows(telling.rows, width)]
    if telling.ledger:
        lines.append(render_ledger(telling.ledger))
    return lines


def plan_in_words(plan: Plan, done: Replayed) -> list[str]:
    """Each fault and constraint, and whether it came to pass."""
    rows = []
    for index, fault in enumerate(plan.faults):
        line = fault_line(fault)
        rows.append(
            (line.what, line.where, "" if _was(done.hits, index) else "not hit: no such moment in this run")
        )
    for index, constraint in enumerate(plan.constraints):
        missed = "given up: holding it would stop the run" if index in done.infeasible else "not enforced"
        rows.append(("order", constraint_line(constraint), "" if _was(done.enforced, index) else missed))
    if not rows:
        return [f"The plan has no fault; order: {plan.policy}."]
    return ["The plan:", *table(rows, indent=4, gap=3)]


def conclusion(done: Replayed, found: Found, *, is_other_build: bool) -> list[str]:
    """The digest beside the recorded one, how often it failed in the same way, and the verdict."""
    run = done.first
    lines = [f"Digest {run.digest}{_as_recorded(run, found, is_other_build)}."]
    if not done.is_steady:
        lines.append(
            f"{len({one.digest for one in done.runs})} different digests in {count(len(done.runs), 'run')}."
        )
        if done.difference:
            index, one, other = done.difference
            lines.append(f"The first difference, event {index}: {clean(one)} | {clean(other)}")
    if found.failure is not None:
        shown = done.shown(found.failure.invariant, found.failure.entity)
        lines.append(
            f"Reproduced {shown}/{len(done.runs)}: {found.failure.invariant} · {clean(found.failure.entity)}."
        )
    lines.append(f"Verdict: {_verdict(run)} (exit {exit_code(done)}).")
    return lines


def _as_recorded(run: RunFinished, found: Found, is_other_build: bool) -> str:
    if is_other_build or not found.digest:
        return ""
    if run.digest == found.digest:
        return ", as recorded"
    return f"; recorded was {found.digest}: the target, its libraries or paychaos changed since"


def _verdict(run: RunFinished) -> str:
    if run.verdict != "fail":
        return run.verdict
    return "violated " + ", ".join(dict.fromkeys(violation.invariant for violation in run.violations))


def exit_code(done: Replayed) -> int:
    """As of `run`: 5 when only some of the runs failed."""
    codes = {EXIT_CODES[run.verdict] for run in done.runs}
    if len(codes) == 1:
        return codes.pop()
    return FLAKY if 1 in codes else 3


def _was(flags: tuple[bool, ...], index: int) -> bool:
    return index < len(flags) and flags[index]
