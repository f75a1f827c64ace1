"""`python -m harness.campaign.worker`: one process that runs scenarios, for a campaign that tells it what to do.

Jobs come as JSON lines on standard input, replies leave as JSON lines on what was standard output when it
started; whatever a target prints goes to standard error. It has no threads, since it forks a child for each
run. It ends when its input ends, when nobody reads its replies any more, or on SIGTERM, and closes what it
started either way.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from harness.campaign.canary import canary
from harness.campaign.job import Job, ReplayJob, SearchJob, World, job_from_json
from harness.catalogue import Catalogue, open_catalogue
from harness.errors import HarnessError, NotSimulated, PaychaosError
from harness.events import Emit, FailureShrunk, SearchEvent, event_to_json, run_finished
from harness.guard import guard
from harness.history import Event, first_difference
from harness.plan import Plan, plan_from_json
from harness.run import Run
from harness.scenario import Scenario
from harness.story.telling import tell
from harness.target import Target
from results.text import seconds


class Stopped(KeyboardInterrupt):
    """The campaign is gone or said to stop. Not an Exception, and none that Hypothesis takes for a failure."""


class Runner(Protocol):
    """Runs plans on one build; see harness.sim.runner."""

    def run(self, scenario: Scenario, plan: Plan, *, detail: bool = False) -> Run: ...

    def close(self) -> None: ...


MakeRunner = Callable[[Target, str, World], Runner]
Search = Callable[[Runner, Scenario, SearchJob, Emit], None]


class Channel:
    """The pipe to the campaign."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take_stdout(cls) -> "Channel":
        """Keeps standard output for itself, and sends what is printed from now on to standard error."""
        descriptor = os.dup(1)
        os.dup2(2, 1)
        return cls(descriptor)

    def emitted(self, document: dict[str, Any]) -> None:
        self._send({"reply": "emitted", "document": document})

    def finished(self) -> None:
        self._send({"reply": "finished"})

    def failed(self, error: Exception, *, hopeless: bool) -> None:
        """hopeless: the build did not even start, so no other job on it can do better."""
        is_ours = isinstance(error, PaychaosError) and not isinstance(error, HarnessError)
        document = {
            "reply": "failed",
            "hopeless": hopeless,
            "error": type(error).__name__ if is_ours else HarnessError.__name__,
            "text": str(error) if isinstance(error, PaychaosError) else f"{type(error).__name__}: {error}",
            "trace": "" if is_ours else "".join(traceback.format_exception(error)),
        }
        if isinstance(error, NotSimulated):
            document |= {"what": error.what, "remedy": error.remedy}
        self._send(document)

    def _send(self, document: dict[str, Any]) -> None:
        data = (json.dumps(document, separators=(",", ":")) + "\n").encode()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            raise Stopped from None


class Bench:
    """The runner in use: made when a job needs another build than the one before."""

    def __init__(self, make_runner: MakeRunner) -> None:
        self._make_runner = make_runner
        self._runner: Runner | None = None
        self._holds: tuple[Target, str, World] | None = None

    def runner(self, target: Target, build: str, world: World) -> Runner:
        if self._runner is None or self._holds != (target, build, world):
            self.close()
            self._runner = self._make_runner(target, build, world)
            self._holds = (target, build, world)
        return self._runner

    def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()


class Worker:
    """Does one job after the other."""

    def __init__(self, channel: Channel, bench: Bench, search: Search) -> None:
        self._channel = channel
        self._bench = bench
        self._search = search
        self._catalogues: dict[Path | None, Catalogue] = {}

    def serve(self, lines: Iterable[str]) -> None:
        """Until the lines end."""
        for line in lines:
            self.do(job_from_json(json.loads(line)))

    def do(self, job: Job) -> None:
        """One job, and exactly one reply that ends it."""
        started = False
        try:
            scenario = self._scenario(job)
            runner = self._bench.runner(scenario.target, job.subject.build, job.subject.world)
            started = True
            if isinstance(job, SearchJob):
                self._search(runner, scenario, job, self._teller(runner, scenario))
            else:
                replay(runner, scenario, job, self._channel.emitted)
        except Exception as error:
            self._channel.failed(error, hopeless=not started)
        else:
            self._channel.finished()

    def _scenario(self, job: Job) -> Scenario:
        if isinstance(job, SearchJob) and job.canary:
            return canary
        subject = job.subject
        sys.path += [path for path in subject.paths if path not in sys.path]
        if subject.path not in self._catalogues:
            self._catalogues[subject.path] = open_catalogue(subject.path)
            for scenario in self._catalogues[subject.path].scenarios:
                guard(scenario)
        catalogue = self._catalogues[subject.path]
        target = catalogue.target(subject.target)
        target.build(subject.build)
        return catalogue.scenario(subject.scenario, target)

    def _teller(self, runner: Runner, scenario: Scenario) -> Emit:
        """Passes events on; a shrunk failure is followed by its telling."""

        def pass_on(event: SearchEvent) -> None:
            self._channel.emitted(event_to_json(event))
            if isinstance(event, FailureShrunk):
                run = runner.run(scenario, event.reproducer.plan, detail=True)
                telling = tell(run, event.reproducer.entity)
                self._channel.emitted({"telling": telling.to_json(), "of": event.signature})

        return pass_on


def replay(
    runner: Runner, scenario: Scenario, job: ReplayJob, emit: Callable[[dict[str, Any]], None]
) -> None:
    """Runs the plan `times` times, in detail. Each document holds the run; the first one also its telling, a
    later one the first event in which it differs from the first.
    """
    plan = plan_of(runner, scenario, job)
    first: Run | None = None
    for number in range(1, job.times + 1):
        run = runner.run(scenario, plan, detail=True)
        document: dict[str, Any] = {"ran": event_to_json(run_finished(run, number, "hazard"))}
        if first is None:
            first = run
            document |= {
                "telling": tell(run).to_json(),
                "hits": run.hits,
                "enforced": run.enforced,
                "infeasible": run.infeasible,
            }
        elif run.digest != first.digest:
            found = first_difference(first.events, run.events)
            document["difference"] = (
                None if found is None else [str(found[0]), *map(_event_in_words, found[1:])]
            )
        emit(document)


def plan_of(runner: Runner, scenario: Scenario, job: ReplayJob) -> Plan:
    """The job's plan; a seed alone costs one run to find its plan."""
    if job.plan is not None:
        return plan_from_json(job.plan)
    from harness.search import plan_of_seed

    return plan_of_seed(runner, scenario, job.seed)


def _event_in_words(event: Event | None) -> str:
    if event is None:
        return "the end of the run"
    return f"{seconds(event.at_us)} s {event.kind} {event.who} {event.what} {event.detail}".strip()


def _stop(*_: object) -> None:
    raise Stopped


def serve_stdin(make_runner: MakeRunner, search: Search) -> int:
    """The whole life of a worker process. Returns its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    bench = Bench(make_runner)
    try:
        Worker(Channel.take_stdout(), bench, search).serve(sys.stdin)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        bench.close()
    return 0


def main() -> int:
    """A worker of both worlds. Imports first: afterwards the user's folder is on the path."""
    from harness.search import Budget, search
    from harness.sim.runner import SimRunner

    def search_within(runner: Runner, scenario: Scenario, job: SearchJob, emit: Emit) -> None:
        search(runner, scenario, Budget(job.runs, job.seconds), job.seed, emit)

    def make_runner(target: Target, build: str, world: World) -> Runner:
        if world == "simulated":
            return SimRunner(target, build)
        from harness.live.runner import LiveRunner

        return LiveRunner(target, build)

    return serve_stdin(make_runner, search_within)


if __name__ == "__main__":
    sys.exit(main())
