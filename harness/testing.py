"""What a pytest session does with scenarios: searches each in one warm worker, and says in a few lines what
it found.

The worker is the same as the command line's, so a run has the same digest under both.
"""

import sys
import tempfile
from pathlib import Path

from harness.campaign.campaign import CANARY, CANARY_IS_DEAD, canary_job, shown
from harness.campaign.findings import Findings
from harness.campaign.job import Job, SearchJob, Subject
from harness.campaign.pool import WORKER_COMMAND, Emitted, Failed, Pool
from harness.campaign.recorder import STORY_ENDING, as_text
from harness.catalogue import check_scenario
from harness.errors import HarnessError, PaychaosError, UsageError
from harness.events import event_from_json
from harness.scenario import Scenario
from harness.story.telling import story_of
from harness.target import Target
from results.report import plan_lines, reproduction
from results.story import render_story, story_to_json
from results.summary import FailureSummary
from results.text import clean, count

FOLDER = Path("runs") / "pytest"
"""Where the reproducers of failed tests are kept, below the folder that pytest was called in."""

Properties = list[tuple[str, object]]


class ScenarioFailed(PaychaosError):
    """The finding, ready to be read."""


class Session:
    """One per pytest process. builds: ``target:build`` words; a target that is not among them has only one."""

    def __init__(
        self, seed: int, runs: int, builds: list[str], here: Path, command: tuple[str, ...] = WORKER_COMMAND
    ) -> None:
        self._seed = seed
        self._runs = runs
        self._builds = builds
        self._here = here
        self._logs = tempfile.TemporaryDirectory(prefix="paychaos-")
        self._pool = Pool(1, Path(self._logs.name), command)
        self._is_trusted = False

    def close(self) -> None:
        self._pool.stop()
        self._logs.cleanup()

    def search(self, scenario: Scenario, file: Path) -> Properties:
        """What junit.xml shall know of a search without a finding. Raises ScenarioFailed with one, and
        whatever else kept the search from its end.
        """
        check_scenario(scenario)
        self._trust()
        subject = Subject(
            scenario.target.name,
            self._build_of(scenario.target),
            scenario.name,
            str(shown(file)),
            tuple(sys.path),
        )
        found = Findings(subject, {invariant.name: invariant.phase for invariant in scenario.invariants})
        self._do(SearchJob(subject, self._seed, self._runs, None), found)
        if found.failures:
            raise ScenarioFailed(finding(found, self._folder))
        summary = found.summary()
        if summary.errors or summary.inconclusive:
            trouble = "ended in an error" if summary.errors else "came to no verdict"
            raise ScenarioFailed(
                f"{summary.errors or summary.inconclusive} of {count(found.runs, 'run')} {trouble}: {found.note}"
            )
        if not any(one.exercised for one in summary.invariants):
            raise ScenarioFailed(
                f"nothing was exercised: {count(found.runs, 'run')} put no invariant to the test."
            )
        idle = [one.invariant for one in summary.invariants if not one.exercised]
        return [("paychaos_runs", found.runs), ("paychaos_not_exercised", ", ".join(idle))]

    @property
    def _folder(self) -> Path:
        return shown(self._here / FOLDER)

    def _trust(self) -> None:
        """Searches the canary, once."""
        if not self._is_trusted:
            found = Findings(CANARY, {})
            self._do(canary_job(self._seed, "simulated"), found)
            if not found.failures:
                raise HarnessError(CANARY_IS_DEAD.format(runs=found.runs))
            self._is_trusted = True

    def _do(self, job: Job, found: Findings) -> None:
        waiting = [job]
        for reply in self._pool.run(lambda: waiting.pop() if waiting else None):
            match reply:
                case (_, Failed(error)):
                    raise error
                case (_, Emitted(document)) if "telling" not in document:
                    found.take(event_from_json(document))
                case (_, Emitted(document)) if found.subject != CANARY:
                    self._keep(found, document)

    def _keep(self, found: Findings, document: dict[str, object]) -> None:
        """Writes the reproducer and the story of a failure."""
        event = found.failures[str(document["of"])]
        failure = event.reproducer.with_source(found.subject.file or "")
        story = story_of(event, found.failure_summary(event, self._folder), document["telling"])  # type: ignore[arg-type]
        self._folder.mkdir(parents=True, exist_ok=True)
        base = self._folder / failure.name
        base.with_name(f"{base.name}.json").write_text(as_text(failure), encoding="utf-8")
        base.with_name(f"{base.name}{STORY_ENDING}").write_text(story_to_json(story), encoding="utf-8")
        base.with_name(f"{base.name}.txt").write_text(render_story(story), encoding="utf-8")

    def _build_of(self, target: Target) -> str:
        for text in self._builds:
            name, _, build = text.partition(":")
            if name == target.name:
                return target.build(build).name
        if len(target.builds) == 1:
            return next(iter(target.builds))
        builds = " or ".join(f"{target.name}:{build}" for build in target.builds)
        raise UsageError(
            f"target {target.name!r} has {len(target.builds)} builds; say which: --paychaos-build {builds}."
        )


def finding(found: Findings, folder: Path) -> str:
    """Each failure: the sentence, the plan it takes, and the line that replays it, which is the last one."""
    failures = sorted(
        found.failure_summaries(folder), key=lambda one: (not one.confirmed, -one.severity, one.size)
    )
    return "\n\n".join("\n".join(_lines(failure)) for failure in failures)


def _lines(failure: FailureSummary) -> list[str]:
    return [
        f"{failure.invariant}: {clean(failure.sentence)}",
        *plan_lines(failure),
        reproduction(failure).rstrip(),
        f"  See it:  paychaos explain {failure.explain}",
        f"  Replay:  paychaos replay {failure.replay}",
    ]
