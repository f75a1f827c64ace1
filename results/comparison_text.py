"""A comparison as text: a line per invariant that changed, what the paired runs say, and the exit code."""

from collections.abc import Sequence
from dataclasses import dataclass

from results.compare import Change, Comparison, InvariantChange, ScenarioChange, Tally
from results.statistics import wilson
from results.text import clean, count, table, wrap

_WIDTH = 100

_COUNTED: dict[Change, str] = {
    "new": "new",
    "still_failing": "still failing",
    "fixed": "fixed",
    "not_seen": "not seen",
    "lost": "lost from sight",
}
"""The changes that get a line of their own, and their words in the last line."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One invariant in the scenarios where the same became of it."""

    name: str
    change: Change
    scenarios: Sequence[ScenarioChange]

    @property
    def base(self) -> Tally:
        return sum((one.base for one in self.scenarios), Tally(0, 0))

    @property
    def candidate(self) -> Tally:
        return sum((one.candidate for one in self.scenarios), Tally(0, 0))


def render_comparison(comparison: Comparison) -> str:
    """The whole text, ending in the exit code."""
    changed = [line for invariant in comparison.invariants for line in _lines(invariant)]
    text = []
    if changed:
        rows = [
            (line.name, _tally(line.base), _tally(line.candidate), _status(line, comparison.candidate))
            for line in changed
        ]
        text += [*table([("", "base", "candidate", ""), *rows], indent=0, gap=3), ""]
    text += _quiet_lines(comparison)
    text += _paired_lines(comparison, [invariant for invariant in comparison.invariants if _lines(invariant)])
    text += [f"{folder} was not finished: what it holds is compared." for folder in comparison.unfinished]
    text.append(_last_line(comparison, changed))
    return "\n".join(text) + "\n"


def _lines(invariant: InvariantChange) -> list[_Line]:
    """A line for each thing that became of the invariant, with its scenarios when there is more than one."""
    groups: dict[Change, list[ScenarioChange]] = {}
    for one in invariant.scenarios:
        if one.change in _COUNTED:
            groups.setdefault(one.change, []).append(one)
    alone = len(groups) == 1
    lines = []
    for change, scenarios in groups.items():
        where = "" if alone else " · " + ", ".join(one.scenario for one in scenarios)
        lines.append(_Line(clean(invariant.invariant + where), change, scenarios))
    return lines


def _tally(tally: Tally) -> str:
    return f"{tally.violated:,} of {tally.exercised:,}" if tally.exercised else "-"


def _status(line: _Line, candidate: str) -> str:
    match line.change:
        case "new":
            idle = "" if line.base.exercised else " (not exercised in base)"
            return f"NEW{idle}   {_replay(line, candidate)}"
        case "still_failing":
            return f"still failing{_still(line)}"
        case "fixed":
            one = sum(scenario.reproducers for scenario in line.scenarios) == 1
            return f"fixed ({'reproducer replayed: holds' if one else 'reproducers replayed: hold'})"
        case "not_seen":
            return f"not seen ({_unreplayed(line)})"
        case _:
            return f"not exercised any more (was {line.base.exercised:,} times)"


def _replay(line: _Line, candidate: str) -> str:
    smallest = min(
        (one.smallest for one in line.scenarios if one.smallest),
        key=lambda violation: (not violation.reproducer, violation.shrunk_size, violation.run),
        default=None,
    )
    if smallest is None:
        return f"see {candidate}"
    if not smallest.reproducer:
        return f"run {smallest.run} of {candidate}"
    return f"paychaos replay {candidate}/{smallest.reproducer}"


def _still(line: _Line) -> str:
    signatures = sorted({signature for one in line.scenarios for signature in one.new_signatures})
    if not line.candidate.violated:
        return " (reproducer replayed: violates)"
    return f" (also: {clean('; '.join(signatures))})" if signatures else ""


def _unreplayed(line: _Line) -> str:
    known = sum(one.reproducers for one in line.scenarios)
    replayed = sum(one.replayed for one in line.scenarios)
    if not known:
        return "no reproducer to replay"
    return f"{replayed} of {count(known, 'reproducer')} replayed" if replayed else "reproducers not replayed"


def _quiet_lines(comparison: Comparison) -> list[str]:
    quiet = [invariant for invariant in comparison.invariants if not _lines(invariant)]
    clean_ones = [one.invariant for one in quiet if one.candidate.exercised]
    idle = [one.invariant for one in quiet if not one.candidate.exercised]
    elsewhere = [f"{one.invariant} · {one.scenario}" for one in comparison.scenarios("elsewhere")]
    sections = [
        ("Clean in the candidate", clean_ones),
        ("Exercised in neither", idle),
        ("Exercised only in other scenarios now", elsewhere),
    ]
    return [
        part
        for title, names in sections
        if names
        for part in _wrapped(f"{title}: {clean(', '.join(names))}.")
    ]


def _wrapped(text: str) -> list[str]:
    first, *more = wrap(text, _WIDTH)
    return [first, *(f"  {line}" for line in more)]


def _paired_lines(comparison: Comparison, changed: Sequence[InvariantChange]) -> list[str]:
    if not comparison.pairs:
        return _wrapped(
            "No run of the base has a partner with the same scenario and seed in the candidate: "
            "the counts are not paired. Run both with one --seed."
        )
    pairs = f"Paired by scenario and seed: {count(comparison.pairs, 'pair')} of runs."
    rows = [
        _paired_row(invariant, invariant.p_value) for invariant in changed if invariant.p_value is not None
    ]
    if not rows:
        return [pairs]
    tested = sum(1 for invariant in comparison.invariants if invariant.p_value is not None)
    head = ("violated in", "only base", "only candidate", "p", "base", "candidate")
    return [
        pairs,
        *table([head, *rows]),
        f" p: exact McNemar, Holm over {count(tested, 'invariant')}; rates: Wilson 95 %",
    ]


def _paired_row(invariant: InvariantChange, p_value: float) -> tuple[str, ...]:
    return (
        clean(invariant.invariant),
        f"{invariant.only_base:,}",
        f"{invariant.only_candidate:,}",
        "< 0.001" if p_value < 0.001 else f"{p_value:.3f}",
        _interval(invariant.base),
        _interval(invariant.candidate),
    )


def _interval(tally: Tally) -> str:
    if not tally.exercised:
        return "-"
    low, high = wilson(tally.violated, tally.exercised)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _last_line(comparison: Comparison, changed: Sequence[_Line]) -> str:
    if comparison.exit_code == 4:
        return "The candidate put no invariant to the test. Exit 4."
    found = [
        (sum(1 for line in changed if line.change == change), words) for change, words in _COUNTED.items()
    ]
    parts = [f"{number} {words}" for number, words in found if number]
    return f"{', '.join(parts) or 'No difference'}. Exit {comparison.exit_code}."
