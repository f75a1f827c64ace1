"""`paychaos compare`: two results folders, and what the candidate breaks, mends and no longer puts to the
test.
"""

import argparse
import sys
from pathlib import Path

from harness import reproducer
from harness.campaign.job import ReplayJob
from harness.campaign.replaying import Replays
from harness.commands.failures import find
from harness.commands.replay import subject_on
from results.compare import compare, replays_needed
from results.comparison_text import render_comparison
from results.store import ResultStore

NAME = "compare"
HELP = "compare two results folders: new, fixed, still failing, no longer exercised"
EXAMPLES = ("paychaos compare runs/base runs/candidate", "paychaos compare runs/20261120-a runs/latest")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", type=Path, metavar="BASE", help="the results folder to compare with")
    parser.add_argument("candidate", type=Path, metavar="CANDIDATE", help="the results folder of the change")
    parser.add_argument("--quiet", action="store_true", help="nothing about the replays on standard error")


def execute(options: argparse.Namespace) -> int:
    base, candidate = ResultStore.open(options.base), ResultStore.open(options.candidate)
    replayed = {}
    with Replays() as replays:
        for name in replays_needed(base, candidate):
            if not options.quiet:
                print(f"replaying {name} on the candidate …", file=sys.stderr)
            replayed[name] = holds(base.folder / name, candidate, replays)
    comparison = compare(base, candidate, replayed)
    print(render_comparison(comparison), end="")
    return comparison.exit_code


def holds(path: Path, candidate: ResultStore, replays: Replays) -> bool:
    """Whether the old failure's plan, run on the candidate's build, exercises its invariant and holds."""
    found = find(str(path))
    old = reproducer.read(path)
    build = f"{candidate.info['target']}:{candidate.info['build']}"
    done = replays.replay(ReplayJob(subject_on(found, build), found.plan))
    return done.first.invariants.get(old.invariant) == "held"
