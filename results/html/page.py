"""The page around the diagrams: verdict, scenarios, failures with their stories, invariants, coverage."""

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from results.conclusion import conclude
from results.html.sequence import render_sequence
from results.ledger import Ledger
from results.report import header_line, plan_lines, reproduction, scenario_words
from results.rows import RowChange, describe, rows_title
from results.story import Story
from results.summary import CampaignSummary, FailureSummary, distinct
from results.text import clean, count, seconds


def render_html(summary: CampaignSummary, stories: Sequence[Story] = ()) -> str:
    """The whole page. A failure with a story of its invariant and signature is told with its diagram."""
    told = {(story.failure.invariant, story.failure.signature): story for story in stories}
    failures = distinct(summary.failures)
    sections = [_failure(one, told.get((one.invariant, one.signature))) for one in failures]
    body = [_head(summary), _scenarios(summary), *sections, _invariants(summary), _coverage(summary)]
    title = escape(clean(f"{summary.target}:{summary.build} · paychaos"))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{_style()}</style>\n</head>\n"
        f"<body>\n{''.join(f'{part}' + chr(10) for part in body if part)}</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return files("results.html").joinpath("style.css").read_text(encoding="utf-8")


def _head(summary: CampaignSummary) -> str:
    conclusion = conclude(summary)
    mood = {0: "good", 1: "bad"}.get(conclusion.exit_code, "quiet")
    found = f"{count(summary.runs, 'run')} in {summary.wall_us / 1_000_000:.0f} s"
    problems = "".join(f'<p class="bad">{_text(problem)}</p>' for problem in summary.problems)
    return (
        f"<h1>Is {_text(summary.target)}:{_text(summary.build)} safe to ship?</h1>\n"
        f'<p class="quiet">{_text(header_line(summary))} · {found}</p>\n'
        f'<p class="verdict {mood}">{_text(str(conclusion))}</p>{problems}'
    )


def _scenarios(summary: CampaignSummary) -> str:
    moods = {"✗": "bad", "✓": "good"}
    rows = [
        f'<tr><td>{_text(name)}</td><td class="{moods.get(mark, "quiet")}">{mark}</td>'
        f"<td>{_text(' · '.join(words))}</td></tr>"
        for name, mark, *words in scenario_words(summary)
    ]
    return f"<h2>Scenarios</h2>\n<table>{''.join(rows)}</table>"


def _failure(failure: FailureSummary, story: Story | None) -> str:
    first, *plan = plan_lines(failure)
    name = _text(failure.invariant)
    where = f"· {failure.scenario} · seen in {count(failure.runs, 'run')}"
    parts = [
        f'<h2><span class="bad">✗</span> {name} <span class="quiet">{_text(where)}</span></h2>',
        f'<p class="sentence">{_text(failure.sentence)}</p>',
        f"<p>{_text(first.strip())}</p>",
        _list(line.strip() for line in plan),
    ]
    if story:
        parts += _story_parts(story)
    difference = (
        f" The first event that differed: {failure.first_difference}" if failure.first_difference else ""
    )
    parts.append(f"<p>{_text(reproduction(failure).strip() + difference)}</p>")
    parts.append(f'<code class="replay">paychaos replay {_text(failure.replay)}</code>')
    return f'<section class="failure">\n{chr(10).join(part for part in parts if part)}\n</section>'


def _story_parts(story: Story) -> list[str]:
    removals = [(one.without, one.outcome) for one in story.removals]
    return [
        f'<div class="scroll">{render_sequence(story.timeline)}</div>',
        _titled(rows_title(story.failure.entity), _rows(story.rows)),
        _titled("Both books", _ledger(story.ledger) if story.ledger else ""),
        _titled("The nearest passing run differs in", _list(story.nearest_passing)),
        _titled("Without one part of the plan", _table((), removals)),
    ]


def _rows(changes: Sequence[RowChange]) -> str:
    cells = [(seconds(one.at_us), one.client, f"{one.table} {one.key}", describe(one)) for one in changes]
    return _table(("time s", "who", "row", "change"), cells)


def _ledger(ledger: Ledger) -> str:
    cells = [("" if one.agrees else "✗", one.key, one.theirs or "-", one.ours or "-") for one in ledger.lines]
    return _table(("", "", ledger.theirs, ledger.ours), cells)


def _invariants(summary: CampaignSummary) -> str:
    cells = [
        (one.invariant, f"{one.held:,}", f"{one.violated:,}", f"{one.not_exercised:,}")
        for one in summary.invariants()
    ]
    return _titled("Invariants", _table(("", "held", "violated", "not exercised"), cells), level=2)


def _coverage(summary: CampaignSummary) -> str:
    cells = [
        (one.scenario, one.fault, one.boundary, f"{one.planned:,}", f"{one.hit:,}")
        for one in summary.coverage
    ]
    return _titled(
        "Fault coverage", _table(("scenario", "fault", "boundary", "planned", "hit"), cells), level=2
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    top = f"<tr>{''.join(f'<th>{_text(name)}</th>' for name in head)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(_cell(text) for text in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{top}{body}</table></div>'


def _cell(text: str) -> str:
    kind = "number" if text.replace(",", "").isdigit() else "mono"
    return f'<td class="{kind}">{_text(text)}</td>'


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li><code>{_text(line)}</code></li>" for line in lines)
    return f'<ul class="plan">{items}</ul>' if items else ""


def _titled(title: str, body: str, level: int = 3) -> str:
    return f"<h{level}>{_text(title)}</h{level}>\n{body}" if body else ""


def _text(text: str) -> str:
    return escape(clean(text))
