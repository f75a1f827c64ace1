"""Do the two worlds agree? Replays what the simulation found in the live world, and counts.

``python -m harness.live.agreement RESULTS [--build TARGET:BUILD] [--times K] [--keep]`` takes the reproducers of a
results folder, runs each K times with everything real, and prints a row for each. Exit code 0 when each was reproduced
in at least nine tenths of its runs (with --build: when none was), else 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.catalogue import installed_catalogue, open_catalogue
from harness.errors import PaychaosError, UsageError
from harness.live.runner import LiveRunner
from harness.reproducer import Reproducer, read
from harness.run import Run

GOOD_SHARE = 0.9


@dataclass(frozen=True)
class Row:
    """One reproducer, run `times` times live.

    akin: runs that violated the same invariant for another entity only: which of two customers comes first is decided
    by the simulation there and by the machine here. hit, enforced: faults and constraints that took effect, in all.
    """

    name: str
    scenario: str
    reproduced: int
    times: int
    hit: int
    faults: int
    enforced: int
    constraints: int
    akin: int = 0
    others: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return self.reproduced >= GOOD_SHARE * self.times

    def words(self) -> str:
        parts = [f"{self.name:<40} {self.scenario:<24} {self.reproduced:>3}/{self.times}"]
        parts.append(f"faults hit {self.hit}/{self.faults}" if self.faults else "no fault")
        parts.append(
            f"constraints enforced {self.enforced}/{self.constraints}"
            if self.constraints
            else "no constraint"
        )
        if self.akin:
            parts.append(f"for another entity {self.akin}/{self.times}")
        if self.others:
            parts.append("also " + ", ".join(self.others))
        return "   ".join(parts)


def agree(
    runner: LiveRunner, reproducer: Reproducer, times: int, told: Callable[[Run], None] = lambda run: None
) -> Row:
    """Runs one reproducer. The same failure is the same invariant, violated for the same entity."""
    scenario = open_catalogue(_source(reproducer)).scenario(reproducer.scenario, runner.target)
    runs = []
    for _ in range(times):
        runs.append(runner.run(scenario, reproducer.plan))
        told(runs[-1])
    others = {violation.invariant for run in runs for violation in run.violations} - {reproducer.invariant}
    wanted = (reproducer.invariant, reproducer.entity)
    same = sum(any(violation.signature == wanted for violation in run.violations) for run in runs)
    same_invariant = sum(any(v.invariant == reproducer.invariant for v in run.violations) for run in runs)
    return Row(
        reproducer.name,
        reproducer.scenario,
        same,
        times,
        sum(sum(run.hits) for run in runs),
        times * len(reproducer.plan.faults),
        sum(sum(run.enforced) for run in runs),
        times * len(reproducer.plan.constraints),
        same_invariant - same,
        tuple(sorted(others)),
    )


def _source(reproducer: Reproducer) -> Path | None:
    return Path(reproducer.source) if reproducer.source else None


def reproducers_in(folder: Path) -> list[Reproducer]:
    """Those of a results folder, or the one in a file. Raises UsageError when there is none."""
    # A dependency brings fault kinds of its own, which a plan may name.
    installed_catalogue()
    failures = folder / "failures"
    paths = [folder] if folder.is_file() else sorted(failures.glob("*.json"))
    found = [read(path) for path in paths if not path.name.endswith(".story.json")]
    if not found:
        raise UsageError(f"{folder} holds no reproducers; run the suite first: paychaos run checkout:staging")
    return found


def rows(found: Sequence[Reproducer], build: str | None, times: int, *, fresh: bool) -> Iterator[Row]:
    """A row for each, in order; one runner for each build that they need."""
    by_build: dict[tuple[str, str, str], list[Reproducer]] = {}
    for reproducer in found:
        by_build.setdefault((reproducer.source, reproducer.target, reproducer.build), []).append(reproducer)
    for (source, target_name, found_on), group in by_build.items():
        target = open_catalogue(Path(source) if source else None).target(target_name)
        runner = LiveRunner(target, build.partition(":")[2] if build else found_on, fresh=fresh)
        try:
            for reproducer in group:
                yield agree(runner, reproducer, times)
        finally:
            runner.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.live.agreement", description=__doc__)
    parser.add_argument("results", type=Path, help="a results folder, or one reproducer")
    parser.add_argument("--build", metavar="TARGET:BUILD", help="run them on this build, which must hold")
    parser.add_argument("--times", type=int, default=20, metavar="K")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the target's processes over runs: faster, their timers run on",
    )
    options = parser.parse_args(arguments)
    try:
        is_good = True
        for row in rows(
            reproducers_in(options.results), options.build, options.times, fresh=not options.keep
        ):
            print(row.words(), flush=True)
            is_good = is_good and (row.reproduced == 0 if options.build else row.is_good)
    except PaychaosError as error:
        print(f"paychaos: {error}", file=sys.stderr)
        return error.exit_code
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
