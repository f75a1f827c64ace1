"""The story of one failure: everything a reader needs to tell the developer what to fix.

`paychaos explain` and `replay` print it, `report.html` draws it, and it is kept as JSON beside its reproducer
so that it can be read where the target is not installed.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from results.errors import ResultsError
from results.ledger import Ledger, LedgerLine, render_ledger
from results.report import plan_lines, reproduction
from results.rows import RowChange, render_rows, rows_title
from results.summary import FailureSummary, FaultLine
from results.text import clean, table, wrap
from results.timeline import DEFAULT_WIDTH, Entry, render_timeline

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Removal:
    """What happens when one part of the shrunk plan is left out: `lose the reply …`, `holds`."""

    without: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Story:
    """One shrunk failure of one build, told by its timeline.

    rows: the history of the violated entity's rows. ledger: both books, where there are two.
    nearest_passing: in what the nearest passing run differs, a line each. removals: one for each part of
    the plan.
    """

    failure: FailureSummary
    target: str
    build: str
    timeline: tuple[Entry, ...]
    rows: tuple[RowChange, ...] = ()
    ledger: Ledger | None = None
    nearest_passing: tuple[str, ...] = ()
    removals: tuple[Removal, ...] = ()


def render_story(story: Story, width: int = DEFAULT_WIDTH) -> str:
    """The whole story as text of at most `width` columns where words allow it; the replay line is last."""
    failure = story.failure
    title = f"✗ {failure.invariant} · {failure.scenario} · {story.target}:{story.build}"
    sentence = [f"  {line}" for line in wrap(clean(failure.sentence), width - 2)]
    sections = [
        _block([title, *sentence, *plan_lines(failure)]),
        render_timeline(story.timeline, width),
        _titled(f"{rows_title(failure.entity)}:", render_rows(story.rows, width)),
        render_ledger(story.ledger) if story.ledger else "",
        _titled("The nearest passing run differs in:", _list(story.nearest_passing, width)),
        _titled("Without one part of the plan:", _removals(story)),
        _block([reproduction(failure).strip(), f"Replay:  paychaos replay {failure.replay}"]),
    ]
    return "\n".join(section for section in sections if section)


def story_to_json(story: Story) -> str:
    """Stable text: the same story gives the same bytes."""
    return json.dumps({"format": FORMAT, **asdict(story)}, indent=1, sort_keys=True, default=str) + "\n"


def story_from_json(text: str, origin: str) -> Story:
    """The story of a text; `origin` names it in the ResultsError for a damaged or newer one."""
    try:
        content = json.loads(text)
        version = int(content["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{origin} is not the story of a failure ({error}). Make it again: paychaos replay."
        ) from error
    if version > FORMAT:
        raise ResultsError(
            f"{origin} was written in format {version}; this version reads up to {FORMAT}. "
            "Upgrade paychaos, or make it again: paychaos replay."
        )
    try:
        return _story(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ResultsError(f"{origin} is damaged ({error}). Make it again: paychaos replay.") from error


def _story(content: Mapping[str, Any]) -> Story:
    ledger = content["ledger"]
    return Story(
        failure=_failure(content["failure"]),
        target=content["target"],
        build=content["build"],
        timeline=tuple(Entry(**entry) for entry in content["timeline"]),
        rows=tuple(RowChange(**change) for change in content["rows"]),
        ledger=ledger
        and Ledger(ledger["theirs"], ledger["ours"], tuple(LedgerLine(**line) for line in ledger["lines"])),
        nearest_passing=tuple(content["nearest_passing"]),
        removals=tuple(Removal(**removal) for removal in content["removals"]),
    )


def _failure(content: Mapping[str, Any]) -> FailureSummary:
    faults = tuple(FaultLine(**fault) for fault in content["faults"])
    return FailureSummary(**{**content, "faults": faults, "constraints": tuple(content["constraints"])})


def _block(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _titled(title: str, body: str) -> str:
    return f"{title}\n{body}" if body else ""


def _list(lines: tuple[str, ...], width: int) -> str:
    return _block([f"  {part}" for line in lines for part in wrap(clean(line), width - 2)])


def _removals(story: Story) -> str:
    return _block(
        table([(clean(one.without), clean(one.outcome)) for one in story.removals], indent=2, gap=3)
    )
