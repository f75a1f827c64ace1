"""The final text of a campaign: what ran, each failure once with the worst first, what was idle, the verdict.

The seed is in the first line, a replay line is the last one when there is something to replay.
"""

from collections.abc import Sequence

from results.conclusion import conclude
from results.record import CoverageRecord, InvariantCount
from results.summary import CampaignSummary, FailureSummary, ScenarioSummary, distinct, plan_size, unexplained
from results.text import clean, count, listing, table, wrap

_WIDTH = 100
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def render_report(summary: CampaignSummary) -> str:
    """The whole text, as `report.txt` keeps it and the command line ends with it."""
    failures = distinct(summary.failures)
    lines = [header_line(summary), "", *scenario_lines(summary), "", _found_line(summary)]
    for failure in failures:
        lines += ["", *failure_lines(failure)]
    lines += ["", *_held_lines(summary.invariants()), *_coverage_lines(summary.coverage), _idle_line(summary)]
    lines += [f"problem: {clean(problem)}" for problem in summary.problems]
    lines.append(str(conclude(summary)))
    if failures:
        lines.append(f"Replay the worst:  paychaos replay {failures[0].replay}")
    return "\n".join(lines) + "\n"


def header_line(summary: CampaignSummary) -> str:
    """What is about to run; printed first, with the seed."""
    scenarios = count(len(summary.scenarios), "scenario")
    place = f"{summary.world}, {summary.infrastructure}, {count(summary.workers, 'worker')}"
    build = f"{summary.target}:{summary.build}"
    return f"paychaos {summary.version} · seed {summary.seed} · {build} · {scenarios} · {place}"


def scenario_lines(summary: CampaignSummary) -> list[str]:
    """A line per scenario, and one more for each further invariant that it violated."""
    rows = scenario_words(summary)
    found = table([row[2:] for row in rows if len(row) > 3], indent=0)
    starts = table([row[:2] for row in rows])
    rests = iter(found)
    return [
        f"{start}  {row[2] if len(row) == 3 else next(rests)}"
        for start, row in zip(starts, rows, strict=True)
    ]


def scenario_words(summary: CampaignSummary) -> list[tuple[str, ...]]:
    """Name (empty where it repeats), mark and words of each scenario line; a violation has three words."""
    return [row for scenario in summary.scenarios for row in _scenario_rows(scenario, summary.failures)]


def failure_lines(failure: FailureSummary) -> list[str]:
    """A failure: the finding, the plan it takes, and how to see it and to run it again."""
    title = f"✗ {failure.invariant} · {failure.scenario}"
    seen = f"Seen in {count(failure.runs, 'run')}, first in run {failure.first_run}."
    lines = [title, *_indent(wrap(clean(failure.sentence), _WIDTH - 2)), f"  {seen}", *plan_lines(failure)]
    reproduced = reproduction(failure)
    lines.append(f"{reproduced}   See it:  paychaos explain {failure.explain}")
    lines.append(" " * len(reproduced) + f"   Replay:  paychaos replay {failure.replay}")
    if not failure.confirmed and failure.first_difference:
        lines.append(f"  The first event that differed: {clean(failure.first_difference)}")
    return lines


def plan_lines(failure: FailureSummary) -> list[str]:
    """`It takes one fault …` and each fault and constraint of the shrunk plan."""
    parts = []
    if failure.faults:
        parts.append(f"{_small(len(failure.faults))} {'fault' if len(failure.faults) == 1 else 'faults'}")
    if failure.constraints:
        orders = "ordering constraint" if len(failure.constraints) == 1 else "ordering constraints"
        parts.append(f"{_small(len(failure.constraints))} {orders}")
    if not parts:
        return ["  It takes no fault and no particular order."]
    noun = " faults" if failure.constraints else ""
    shrunk = failure.first_plan_faults > len(failure.faults)
    origin = f" (of the {failure.first_plan_faults}{noun} in the first failing plan)" if shrunk else ""
    rows = [(clean(fault.what), clean(fault.where)) for fault in failure.faults]
    rows += [("order", clean(constraint)) for constraint in failure.constraints]
    return [f"  It takes {' and '.join(parts)}{origin}:", *table(rows, indent=4, gap=3)]


def reproduction(failure: FailureSummary) -> str:
    """`Reproduced 3/3.`"""
    return f"  Reproduced {failure.reproduced}/{failure.attempts}."


def _scenario_rows(scenario: ScenarioSummary, failures: Sequence[FailureSummary]) -> list[tuple[str, ...]]:
    """Name, mark and words; a violation has its words in three columns."""
    rows: list[tuple[str, ...]] = []
    for failure in failures:
        if failure.scenario == scenario.name:
            size = plan_size(len(failure.faults), len(failure.constraints))
            size = (
                size if failure.confirmed else f"{size}, reproduced {failure.reproduced}/{failure.attempts}"
            )
            rows.append(("✗", failure.invariant, f"run {failure.first_run}", size))
    for one in unexplained(scenario, failures):
        rows.append(("✗", one.invariant, count(one.violated, "run"), "not shrunk here"))
    if trouble := _trouble(scenario):
        rows.append(("!", trouble))
    rows = rows or [_quiet_row(scenario)]
    return [(scenario.name if number == 0 else "", *row) for number, row in enumerate(rows)]


def _quiet_row(scenario: ScenarioSummary) -> tuple[str, str]:
    exercised = sum(1 for one in scenario.invariants if one.exercised)
    known = len(scenario.invariants)
    runs = count(scenario.runs, "run")
    if not exercised:
        return "-", f"{runs}, no invariant exercised"
    return "✓", f"{runs}, {'all' if exercised == known else f'{exercised} of {known}'} invariants exercised"


def _trouble(scenario: ScenarioSummary) -> str:
    parts = [f"{count(scenario.errors, 'error')}"] if scenario.errors else []
    parts += [f"{scenario.inconclusive:,} inconclusive"] if scenario.inconclusive else []
    if not parts:
        return ""
    reason = f": {clean(scenario.note)}" if scenario.note else ""
    return f"{count(scenario.runs, 'run')}, {', '.join(parts)}{reason}"


def _found_line(summary: CampaignSummary) -> str:
    invariants = summary.invariants()
    violated = sum(1 for one in invariants if one.violated)
    place = f"{count(summary.runs, 'run')} ({summary.wall_us / 1_000_000:.0f} s)"
    if not violated:
        return f"No violation of {count(len(invariants), 'invariant')} in {place}."
    order = " Worst first:" if summary.failures else ""
    return f"{violated} of {count(len(invariants), 'invariant')} violated in {place}.{order}"


def _held_lines(invariants: Sequence[InvariantCount]) -> list[str]:
    held = [f"{one.invariant} {one.held:,}" for one in invariants if one.held and not one.violated]
    if not held:
        return []
    first, *more = wrap(f"Held, and how often each was put to the test: {', '.join(held)}.", _WIDTH)
    return [first, *_indent(more)]


def _coverage_lines(coverage: Sequence[CoverageRecord]) -> list[str]:
    if not coverage:
        return []
    hit = sum(1 for one in coverage if one.hit)
    first = f"Faults: {hit:,} of {count(len(coverage), 'boundary', 'boundaries')} hit."
    missed = [(clean(one.scenario), clean(one.fault), clean(one.boundary)) for one in coverage if not one.hit]
    if not missed:
        return [first]
    shown = table(missed[:10], indent=4)
    more = [f"    … and {len(missed) - 10:,} more: see coverage.parquet"] if len(missed) > 10 else []
    return [f"{first} Planned, but never hit:", *shown, *more]


def _idle_line(summary: CampaignSummary) -> str:
    idle = [one.invariant for one in summary.invariants() if not one.exercised]
    return f"Not exercised: {listing(idle) or 'nothing'}. Report: {summary.folder}/report.txt"


def _small(number: int) -> str:
    return _SMALL[number] if number < len(_SMALL) else f"{number:,}"


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
