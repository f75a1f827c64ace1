"""Two results folders compared: what the candidate breaks, mends, and no longer puts to the test.

The unit is an invariant in a scenario. Runs are paired by (scenario, seed); a pair counts for an invariant
when both runs exercised it. "Fixed" is a claim about the old failure: it needs the old reproducers, replayed
on the candidate and holding. Else an absent violation is "not seen"; an idle invariant is never fixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from results.errors import ResultsError
from results.record import Outcome, ViolationRecord
from results.statistics import holm, mcnemar_exact
from results.store import ResultStore

Change = Literal["new", "still_failing", "fixed", "not_seen", "lost", "clean", "elsewhere", "idle"]
"""What became of an invariant in a scenario.

lost: exercised in the base, and now nowhere; or violated in the base, and not exercised here any more.
elsewhere: held in the base, now exercised only in other scenarios. clean: held in the candidate.
idle: exercised in neither.
"""

Replays = Mapping[str, bool]
"""A reproducer as the base names it, to whether its replay exercised the invariant and held."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Runs of one results folder in which an invariant was violated, of those that exercised it."""

    violated: int
    exercised: int

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.violated + other.violated, self.exercised + other.exercised)


@dataclass(frozen=True, slots=True)
class ScenarioChange:
    """One invariant in one scenario.

    reproducers: how many the base saved for it; replayed: how many of these were replayed on the candidate.
    smallest: the candidate's smallest violation. new_signatures: causes that the base did not show.
    """

    invariant: str
    scenario: str
    change: Change
    base: Tally
    candidate: Tally
    reproducers: int
    replayed: int
    smallest: ViolationRecord | None
    new_signatures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InvariantChange:
    """One invariant over all scenarios, with its paired test.

    pairs: run pairs that both exercised it; only_base, only_candidate: those violated on one side alone.
    p_value: exact McNemar, two-sided, adjusted by Holm over the invariants with pairs; None without a pair.
    """

    invariant: str
    scenarios: tuple[ScenarioChange, ...]
    base: Tally
    candidate: Tally
    pairs: int
    only_base: int
    only_candidate: int
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`base` and `candidate` are the folders as text; pairs: runs of both with equal scenario and seed."""

    base: str
    candidate: str
    invariants: tuple[InvariantChange, ...]
    pairs: int
    unfinished: tuple[str, ...]

    def scenarios(self, *changes: Change) -> list[ScenarioChange]:
        """The changes of these kinds, by invariant and scenario."""
        return [one for invariant in self.invariants for one in invariant.scenarios if one.change in changes]

    @property
    def exit_code(self) -> int:
        """1: a new violation, 4: the candidate exercised nothing, 3: something is lost from sight, else 0."""
        if self.scenarios("new"):
            return 1
        if not any(invariant.candidate.exercised for invariant in self.invariants):
            return 4
        return 3 if self.scenarios("lost") else 0


def compare(base: ResultStore, candidate: ResultStore, replayed: Replays | None = None) -> Comparison:
    """Compare two campaigns of one target. ResultsError when their targets differ."""
    _demand_one_target(base, candidate)
    sides = _Side(base), _Side(candidate)
    units = sorted({unit for side in sides for unit in side.tallies})
    changes = [_scenario_change(unit, *sides, replayed or {}) for unit in units]
    in_sight = {change.invariant for change in changes if change.candidate.exercised}
    changes = [_seen_elsewhere(change) if change.invariant in in_sight else change for change in changes]
    names = sorted({change.invariant for change in changes})
    discordant = {name: _pairs(name, *sides) for name in names}
    p_values = holm({name: mcnemar_exact(*found[1:]) for name, found in discordant.items() if found[0]})
    invariants = []
    for name in names:
        own = tuple(change for change in changes if change.invariant == name)
        base_tally = sum((change.base for change in own), Tally(0, 0))
        candidate_tally = sum((change.candidate for change in own), Tally(0, 0))
        pairs = discordant[name]
        invariants.append(InvariantChange(name, own, base_tally, candidate_tally, *pairs, p_values.get(name)))
    return Comparison(
        base=str(base.folder),
        candidate=str(candidate.folder),
        invariants=tuple(invariants),
        pairs=len(sides[0].seeds & sides[1].seeds),
        unfinished=tuple(str(store.folder) for store in (base, candidate) if store.state != "finished"),
    )


def replays_needed(base: ResultStore, candidate: ResultStore) -> list[str]:
    """The base's reproducers that decide between fixed and not seen: replay these on the candidate."""
    unseen = {(one.invariant, one.scenario) for one in compare(base, candidate).scenarios("not_seen")}
    side = _Side(base)
    return [name for unit in sorted(unseen) for name in side.reproducers(unit)]


Unit = tuple[str, str]
"""An invariant in a scenario."""


class _Side:
    """One results folder, sorted for comparing."""

    def __init__(self, store: ResultStore) -> None:
        runs = {run.run: run for run in store.runs}
        self.seeds = {(run.scenario, run.seed) for run in runs.values()}
        self.tallies: dict[Unit, Tally] = {}
        for one in store.counts():
            self.tallies[one.invariant, one.scenario] = Tally(one.violated, one.exercised)
        self.violations: dict[Unit, list[ViolationRecord]] = {}
        for violation in store.violations:
            self.violations.setdefault((violation.invariant, runs[violation.run].scenario), []).append(
                violation
            )
        self.outcomes: dict[str, dict[tuple[str, int], Outcome]] = {}
        for outcome in store.outcomes:
            run = runs[outcome.run]
            said = self.outcomes.setdefault(outcome.invariant, {})
            said[run.scenario, run.seed] = _worse(said.get((run.scenario, run.seed)), outcome.outcome)

    def reproducers(self, unit: Unit) -> list[str]:
        return sorted({one.reproducer for one in self.violations.get(unit, ()) if one.reproducer})


def _demand_one_target(base: ResultStore, candidate: ResultStore) -> None:
    targets = [sorted({run.target for run in store.runs}) for store in (base, candidate)]
    if all(targets) and targets[0] != targets[1]:
        raise ResultsError(
            f"{base.folder} is of {', '.join(targets[0])}, {candidate.folder} of {', '.join(targets[1])}: "
            "only builds of one target can be compared. Run the candidate's scenarios on the same target."
        )


def _scenario_change(unit: Unit, base: _Side, candidate: _Side, replayed: Replays) -> ScenarioChange:
    before, now = (side.tallies.get(unit, Tally(0, 0)) for side in (base, candidate))
    reproducers = base.reproducers(unit)
    known = [replayed[name] for name in reproducers if name in replayed]
    seen = {one.signature for one in base.violations.get(unit, ())}
    violations = candidate.violations.get(unit, [])
    return ScenarioChange(
        *unit,
        change=_classify(before, now, len(reproducers), known),
        base=before,
        candidate=now,
        reproducers=len(reproducers),
        replayed=len(known),
        smallest=min(violations, key=_handiness, default=None),
        new_signatures=tuple(sorted({one.signature for one in violations} - seen)),
    )


def _classify(base: Tally, candidate: Tally, reproducers: int, replayed: Sequence[bool]) -> Change:
    if candidate.violated:
        return "still_failing" if base.violated else "new"
    if not all(replayed):
        return "still_failing"
    if not candidate.exercised:
        return "lost" if base.exercised else "idle"
    if not base.violated:
        return "clean"
    return "fixed" if reproducers and len(replayed) == reproducers else "not_seen"


def _seen_elsewhere(change: ScenarioChange) -> ScenarioChange:
    """What the candidate exercises in other scenarios is lost from sight only where it was violated."""
    lost_clean = change.change == "lost" and not change.base.violated
    return replace(change, change="elsewhere") if lost_clean else change


def _pairs(invariant: str, base: _Side, candidate: _Side) -> tuple[int, int, int]:
    """Pairs that both exercised the invariant; those that only the base violated; only the candidate."""
    left, right = (side.outcomes.get(invariant, {}) for side in (base, candidate))
    both = [(left[key], right[key]) for key in left.keys() & right.keys()]
    exercised = [pair for pair in both if "not_exercised" not in pair]
    return (
        len(exercised),
        exercised.count(("violated", "held")),
        exercised.count(("held", "violated")),
    )


def _worse(one: Outcome | None, other: Outcome) -> Outcome:
    """A seed that was run more than once counts once, with the worst that was seen."""
    order: tuple[Outcome, ...] = ("not_exercised", "held", "violated")
    return other if one is None else max(one, other, key=order.index)


def _handiness(violation: ViolationRecord) -> tuple[bool, int, str]:
    """Those that can be replayed first, the smallest first."""
    return not violation.reproducer, violation.shrunk_size, violation.run
