"""What a search tells as it goes: frozen records with a JSON round trip, one line each between processes.

The search emits; the command line, the pytest plugin and the results listen. A listener never talks back.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from harness.errors import HarnessError
from harness.plan import Plan, plan_from_json
from harness.reproducer import Reproducer, reproducer_from_json
from harness.run import InvariantVerdict, Run, Verdict, Violation

Phase = Literal["probe", "hazard", "sweep", "drawn", "order", "shrink"]


@dataclass(frozen=True)
class RunFinished:
    """One run ended.

    number: of the run in its scenario, from 1. step: 0 for a run of the exploration; while a failure is
    shrunk, the steps of run `number` count from 1 (phase ``shrink``; they say nothing about how often
    something fails).
    """

    scenario: str
    build: str
    number: int
    step: int
    phase: Phase
    plan: Plan
    verdict: Verdict
    violations: tuple[Violation, ...]
    invariants: Mapping[str, InvariantVerdict]
    digest: str
    steps: int
    virtual_us: int
    wall_us: int
    error: str | None = None

    @property
    def run_id(self) -> str:
        """``lost_reply-14``, or ``lost_reply-14.3`` for the third step of shrinking it."""
        return f"{self.scenario}-{self.number}" + (f".{self.step}" if self.step else "")


@dataclass(frozen=True)
class FailureFound:
    """The first violation of an invariant in this search; it is about to be shrunk, so FailureShrunk follows.

    Further causes of the same violation are announced by their FailureShrunk alone.
    """

    scenario: str
    build: str
    number: int
    violation: Violation
    plan: Plan


@dataclass(frozen=True)
class RemovalEffect:
    """What the shrunk plan does without one of its parts: `removed` in words, and what is seen then."""

    removed: str
    verdict: Verdict
    invariants: tuple[str, ...]
    """The invariants still violated (for another entity, or another invariant); empty when the run passes."""


@dataclass(frozen=True)
class FailureShrunk:
    """A failure at its smallest.

    signature: of (scenario, invariant, cause). runs_used: what shrinking cost. reproduced of times: equal
    digests and the same failure when run again. first_difference: both events where two re-runs part, when it
    is flaky.
    nearest_pass: the plan of the passing run that is closest; None when none was seen.
    """

    reproducer: Reproducer
    number: int
    signature: str
    runs_used: int
    reproduced: int
    times: int
    first_difference: tuple[str, str] | None = None
    removals: tuple[RemovalEffect, ...] = ()
    nearest_pass: Plan | None = None

    @property
    def is_flaky(self) -> bool:
        return self.reproduced < self.times


@dataclass(frozen=True)
class Tally:
    """How many runs of the exploration held, violated or never exercised an invariant."""

    held: int = 0
    violated: int = 0
    not_exercised: int = 0


@dataclass(frozen=True)
class Coverage:
    """How often a fault kind was planned at a boundary (a message kind), and how often it really struck."""

    fault: str
    boundary: str
    planned: int
    hit: int


@dataclass(frozen=True)
class ScenarioFinished:
    """The end of a scenario's search.

    failures: signature to the number of runs that showed that failure (its own, and those it implies).
    infeasible: ordering constraints that were dropped. errors: runs that ended in `error`.
    wall_us: real time.
    """

    scenario: str
    build: str
    runs: int
    shrink_runs: int
    wall_us: int
    invariants: Mapping[str, Tally]
    coverage: tuple[Coverage, ...]
    failures: Mapping[str, int]
    errors: int = 0
    infeasible: int = 0


SearchEvent = RunFinished | FailureFound | FailureShrunk | ScenarioFinished
Emit = Callable[[SearchEvent], None]


def run_finished(run: Run, number: int, phase: Phase, step: int = 0) -> RunFinished:
    """The summary of a run: all of it but deliveries, events, rows and exports."""
    return RunFinished(
        run.scenario,
        run.build,
        number,
        step,
        phase,
        run.plan,
        run.verdict,
        tuple(run.violations),
        dict(run.invariants),
        run.digest,
        run.steps,
        run.virtual_us,
        run.wall_us,
        run.error,
    )


def event_to_json(event: SearchEvent) -> dict[str, Any]:
    """A JSON object whose ``event`` is the record's name."""
    document = {name: _encode(value) for name, value in vars(event).items()}
    return {"event": type(event).__name__, **document}


def event_from_json(document: Mapping[str, Any]) -> SearchEvent:
    """The inverse of `event_to_json`. Raises HarnessError on a name it does not know: both ends are ours."""
    fields = {name: value for name, value in document.items() if name != "event"}
    if "plan" in fields:
        fields["plan"] = plan_from_json(fields["plan"])
    match document["event"]:
        case "RunFinished":
            fields["violations"] = tuple(Violation(**item) for item in fields["violations"])
            return RunFinished(**fields)
        case "FailureFound":
            return FailureFound(**{**fields, "violation": Violation(**fields["violation"])})
        case "FailureShrunk":
            return _failure_shrunk(fields)
        case "ScenarioFinished":
            fields["invariants"] = {name: Tally(**tally) for name, tally in fields["invariants"].items()}
            fields["coverage"] = tuple(Coverage(**item) for item in fields["coverage"])
            return ScenarioFinished(**fields)
    raise HarnessError(f"no event is called {document['event']!r}")


def _failure_shrunk(fields: dict[str, Any]) -> FailureShrunk:
    difference, nearest = fields["first_difference"], fields["nearest_pass"]
    return FailureShrunk(
        **{
            **fields,
            "reproducer": reproducer_from_json(fields["reproducer"]),
            "first_difference": None if difference is None else tuple(difference),
            "removals": tuple(
                RemovalEffect(**{**item, "invariants": tuple(item["invariants"])})
                for item in fields["removals"]
            ),
            "nearest_pass": None if nearest is None else plan_from_json(nearest),
        }
    )


def _encode(value: Any) -> Any:
    match value:
        case Plan() | Reproducer():
            return value.to_json()
        case Violation() | RemovalEffect() | Coverage() | Tally():
            return asdict(value)
        case tuple() | list():
            return [_encode(item) for item in value]
        case Mapping():
            return {name: _encode(item) for name, item in value.items()}
    return value
