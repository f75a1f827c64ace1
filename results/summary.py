"""What a campaign is reported from: plain dataclasses that the harness fills in and every report reads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from results.record import CoverageRecord, InvariantCount
from results.text import count


@dataclass(frozen=True, slots=True)
class FaultLine:
    """One fault in words: what it does (`lose the reply`), and where (a message, link, node or store)."""

    what: str
    where: str


@dataclass(frozen=True, slots=True)
class FailureSummary:
    """One distinct failure, shrunk.

    signature: groups failures of one cause. sentence: the finding for a person. faults, constraints: the
    shrunk plan; a constraint reads `A before B`. first_plan_faults: how many faults the first failing plan
    had. runs: how many showed it; first_run the first of them. reproduced of attempts: how often its replay
    failed the same way; first_difference: the first differing event when it did not. explain, replay: what
    to give to the commands of those names. severity: the higher the worse, the scenario's own order.
    """

    invariant: str
    scenario: str
    entity: str
    signature: str
    sentence: str
    faults: tuple[FaultLine, ...]
    constraints: tuple[str, ...]
    first_plan_faults: int
    runs: int
    first_run: str
    reproduced: int
    attempts: int
    explain: str
    replay: str
    severity: int = 0
    first_difference: str = ""

    @property
    def confirmed(self) -> bool:
        """Every replay failed in the same way."""
        return self.attempts > 0 and self.reproduced == self.attempts

    @property
    def size(self) -> int:
        """Faults and constraints of the shrunk plan."""
        return len(self.faults) + len(self.constraints)


@dataclass(frozen=True, slots=True)
class ScenarioSummary:
    """One scenario of a campaign. inconclusive, errors: runs that ended so; note: the first such reason."""

    name: str
    runs: int
    invariants: tuple[InvariantCount, ...]
    inconclusive: int = 0
    errors: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """A whole campaign.

    world: `simulated world` or `live world`; infrastructure: what it ran on, in words. wall_us: real time.
    folder: where the results are, as the user should type it. problems: what makes the campaign itself an
    error, a canary that passed for one.
    """

    version: str
    seed: int
    target: str
    build: str
    world: str
    infrastructure: str
    workers: int
    scenarios: tuple[ScenarioSummary, ...]
    failures: tuple[FailureSummary, ...]
    coverage: tuple[CoverageRecord, ...]
    wall_us: int
    folder: str
    interrupted: bool = False
    problems: tuple[str, ...] = ()

    @property
    def runs(self) -> int:
        return sum(scenario.runs for scenario in self.scenarios)

    def invariants(self) -> list[InvariantCount]:
        """The outcomes of each invariant over all scenarios (`scenario` is empty), by name."""
        totals: dict[str, InvariantCount] = {}
        for scenario in self.scenarios:
            for one in scenario.invariants:
                sum_ = totals.get(one.invariant, InvariantCount("", one.invariant, 0, 0, 0))
                totals[one.invariant] = replace(
                    sum_,
                    held=sum_.held + one.held,
                    violated=sum_.violated + one.violated,
                    not_exercised=sum_.not_exercised + one.not_exercised,
                )
        return [totals[name] for name in sorted(totals)]


def unexplained(scenario: ScenarioSummary, failures: Sequence[FailureSummary]) -> list[InvariantCount]:
    """What the scenario violated without a failure to show for it: not shrunk, or reported from elsewhere."""
    known = {failure.invariant for failure in failures if failure.scenario == scenario.name}
    return [one for one in scenario.invariants if one.violated and one.invariant not in known]


def plan_size(faults: int, constraints: int) -> str:
    """`1 fault, 2 constraints`, or `no fault` for a plan without either."""
    parts = [
        count(number, noun) for number, noun in ((faults, "fault"), (constraints, "constraint")) if number
    ]
    return ", ".join(parts) or "no fault"


def distinct(failures: Sequence[FailureSummary]) -> list[FailureSummary]:
    """Each failure once per invariant and signature, its smallest plan standing for all; the worst first.

    Runs add up; scenarios are listed. Worst: confirmed before flaky, then severity, runs, the smaller plan.
    """
    groups: dict[tuple[str, str], list[FailureSummary]] = {}
    for failure in failures:
        groups.setdefault((failure.invariant, failure.signature), []).append(failure)
    merged = [_merge(group) for group in groups.values()]
    return sorted(
        merged, key=lambda one: (not one.confirmed, -one.severity, -one.runs, one.size, one.invariant)
    )


def _merge(group: Sequence[FailureSummary]) -> FailureSummary:
    best = min(group, key=lambda failure: (not failure.confirmed, failure.size))
    scenarios = ", ".join(dict.fromkeys(failure.scenario for failure in group))
    return replace(best, scenario=scenarios, runs=sum(failure.runs for failure in group))
