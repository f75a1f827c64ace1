"""The search: finds plans that violate an invariant, shrinks each distinct failure once, and goes on.

What belongs here: which plan is run next, what counts as a new failure, and when to stop. What does not:
how a plan is run (a `Runner`), how one is shrunk (`harness.search.shrink`), and what is shown or kept (whoever
gets the events).
"""

from collections.abc import Callable

from harness.boundary import signature_of
from harness.errors import UsageError
from harness.events import Emit, FailureFound, FailureShrunk, ScenarioFinished, run_finished
from harness.plan import Plan
from harness.realtime import monotonic_us
from harness.reproducer import Reproducer
from harness.run import Run, Violation
from harness.scenario import Scenario
from harness.search.budget import Budget, Purse
from harness.search.known import KnownFailures
from harness.search.plans import Numbered, first_plan, further_plans
from harness.search.seen import seen_in
from harness.search.shrink import MAX_RUNS as MAX_SHRINK_RUNS
from harness.search.shrink import TIMES, Runner, Shrunk, shrink
from harness.search.tally import Tallies
from harness.seed import split_run_seed

__all__ = ["Budget", "Runner", "plan_of_seed", "search"]

FURTHER_SHRINK_RUNS = 60
"""For a second cause of a violation that has been shrunk already."""


def search(
    runner: Runner,
    scenario: Scenario,
    budget: Budget,
    seed: int,
    emit: Emit,
    *,
    clock_us: Callable[[], int] = monotonic_us,
) -> None:
    """Searches one scenario on the runner's build, and tells `emit` as it goes; the last event is
    ScenarioFinished.

    seed: of the campaign. With a budget in runs alone, the same seed gives the same events, `wall_us` aside.
    Whatever the runner raises passes through, after the events that were emitted.
    """
    _Search(runner, scenario, budget, seed, emit, clock_us).go()


def plan_of_seed(runner: Runner, scenario: Scenario, seed: int) -> Plan:
    """The plan of the campaign's run that had this plan seed. Costs one run, the probe.

    Raises UsageError when there is no such run in this scenario.
    """
    campaign, number = split_run_seed(seed)
    probe = first_plan(scenario, campaign)
    if number == probe.number:
        return probe.plan
    seen = seen_in(runner.run(scenario, probe.plan), scenario)
    for numbered in further_plans(scenario, seen, campaign):
        if numbered.number == number:
            return numbered.plan
    raise UsageError(
        f"seed {seed} means run {number} of campaign {campaign}, which scenario {scenario.name!r} does"
        " not have; take a seed from runs.parquet or from a line that paychaos printed."
    )


class _Search:
    def __init__(
        self,
        runner: Runner,
        scenario: Scenario,
        budget: Budget,
        seed: int,
        emit: Emit,
        clock_us: Callable[[], int],
    ) -> None:
        self._runner = runner
        self._scenario = scenario
        self._seed = seed
        self._emit = emit
        self._purse = Purse(budget, clock_us)
        self._tallies = Tallies()
        self._known = KnownFailures()

    def go(self) -> None:
        probe = self._explore(first_plan(self._scenario, self._seed))
        if probe.verdict != "error":
            seen = seen_in(probe, self._scenario)
            for numbered in further_plans(self._scenario, seen, self._seed):
                if self._purse.is_empty:
                    break
                self._explore(numbered)
        self._finish(probe.build)

    def _explore(self, numbered: Numbered) -> Run:
        run = self._runner.run(self._scenario, numbered.plan)
        self._purse.runs += 1
        self._tallies.add(run)
        self._emit(run_finished(run, numbered.number, numbered.phase))
        firsts: dict[str, Violation] = {}
        for violation in run.violations:
            firsts.setdefault(violation.invariant, violation)
        for violation in firsts.values():
            self._look_at(run, violation, numbered.number)
        return run

    def _look_at(self, run: Run, violation: Violation, number: int) -> None:
        """Counts a violation with the known failure that explains it, or shrinks it."""
        known = self._known.explaining(run, violation.invariant)
        if known is not None:
            known.runs += 1
            return
        is_first = self._known.is_first_of(violation.invariant)
        if not is_first and (self._purse.is_half_spent or not self._known.may_try(violation.invariant)):
            return
        if is_first:
            self._emit(FailureFound(self._scenario.name, run.build, number, violation, run.plan))
        shrunk = self._shrink(run, violation, number, MAX_SHRINK_RUNS if is_first else FURTHER_SHRINK_RUNS)
        signature = signature_of(self._scenario.name, violation.invariant, shrunk.plan)
        if self._known.add(signature, violation.invariant, shrunk.plan):
            self._emit(self._failure_shrunk(shrunk, signature, number))

    def _shrink(self, run: Run, violation: Violation, number: int, limit: int) -> Shrunk:
        steps = 0

        def count(step: Run) -> None:
            nonlocal steps
            steps += 1
            self._purse.shrink_runs += 1
            self._emit(run_finished(step, number, "shrink", steps))

        return shrink(
            self._runner,
            self._scenario,
            run,
            violation,
            may_run=lambda used: used < limit and self._purse.may_shrink,
            on_run=count,
        )

    def _failure_shrunk(self, shrunk: Shrunk, signature: str, number: int) -> FailureShrunk:
        reproducer = Reproducer(
            target=self._scenario.target.name,
            build=shrunk.run.build,
            scenario=self._scenario.name,
            invariant=shrunk.violation.invariant,
            entity=shrunk.violation.entity,
            sentence=shrunk.violation.sentence,
            plan=shrunk.plan,
            digest=shrunk.run.digest,
            found_seed=self._seed,
            found_run=number,
            shrunk_from=shrunk.original_size,
        )
        return FailureShrunk(
            reproducer,
            number,
            signature,
            shrunk.runs_used,
            shrunk.reproduced,
            TIMES,
            shrunk.first_difference,
            shrunk.removals,
            shrunk.nearest_pass,
        )

    def _finish(self, build: str) -> None:
        self._emit(
            ScenarioFinished(
                scenario=self._scenario.name,
                build=build,
                runs=self._purse.runs,
                shrink_runs=self._purse.shrink_runs,
                wall_us=self._purse.elapsed_us,
                invariants=self._tallies.invariants,
                coverage=self._tallies.coverage,
                failures=self._known.counts,
                errors=self._tallies.errors,
                infeasible=self._tallies.infeasible,
            )
        )
