"""A timeline as an SVG sequence diagram: a lane per node, time at the left, the words at the right.

The words stand beside the lanes, not on the arrows, so that nothing overlaps however long a message is.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from results.text import clean, seconds, shorten, wrap
from results.timeline import SYMBOLS, Entry, Folded, fold

_TIME_WIDTH = 72
_LANES_WIDTH = 620
_LANE_WIDTHS = (82, 104)
_WORDS_WIDTH = 484
_HEAD = 40
_LINE = 17
_ROW_SPACE = 11
_WORDS_IN_A_LINE = 64
_CHARACTER = 8


class _Lanes(NamedTuple):
    """The x of each node's line, how far apart they are, and where the words start."""

    x: dict[str, int]
    width: int
    right: int


def render_sequence(entries: Sequence[Entry]) -> str:
    """An `<svg>` element; its colours are those of `style.css`."""
    lines = fold(entries)
    lanes = _lanes(lines)
    y = _HEAD
    rows = []
    for line in lines:
        words = wrap(_words(line), _WORDS_IN_A_LINE)
        height = _LINE * len(words) + _ROW_SPACE
        rows.append(_row(line, words, lanes, y, height))
        y += height
    width = lanes.right + _WORDS_WIDTH
    return (
        f'<svg class="sequence" viewBox="0 0 {width} {y + 8}" width="{width}" height="{y + 8}" role="img">'
        f"{_heads(lanes, y)}{''.join(rows)}</svg>"
    )


def _lanes(lines: Sequence[Entry | Folded]) -> _Lanes:
    """Nodes in the order in which they first speak or hear."""
    nodes: dict[str, None] = {}
    for line in lines:
        if isinstance(line, Entry) and line.mark != "violation":
            nodes.update(dict.fromkeys(filter(None, (line.who, line.to))))
    narrowest, widest = _LANE_WIDTHS
    width = max(narrowest, min(widest, _LANES_WIDTH // max(len(nodes), 1)))
    x = {node: _TIME_WIDTH + width // 2 + number * width for number, node in enumerate(nodes)}
    return _Lanes(x, width, _TIME_WIDTH + width * len(x) + 16)


def _heads(lanes: _Lanes, bottom: int) -> str:
    parts = []
    for node, x in lanes.x.items():
        name = escape(shorten(clean(node), lanes.width // _CHARACTER))
        parts.append(f'<line class="lane" x1="{x}" y1="{_HEAD - 10}" x2="{x}" y2="{bottom}"/>')
        parts.append(
            f'<text class="node" x="{x}" y="{_HEAD - 18}">{name}<title>{escape(clean(node))}</title></text>'
        )
    return "".join(parts)


def _row(line: Entry | Folded, words: Sequence[str], lanes: _Lanes, top: int, height: int) -> str:
    middle = top + _LINE // 2 + _ROW_SPACE // 2
    kind = "folded" if isinstance(line, Folded) else line.mark
    time = "" if line.at_us is None else seconds(line.at_us)
    text = "".join(
        f'<tspan x="{lanes.right}" y="{middle + 4 + number * _LINE}">{escape(word)}</tspan>'
        for number, word in enumerate(words)
    )
    band = f'<rect class="band" x="0" y="{top}" width="{lanes.right + _WORDS_WIDTH}" height="{height}"/>'
    return (
        f'<g class="{kind}">{band}'
        f'<text class="time" x="{_TIME_WIDTH - 12}" y="{middle + 4}">{time}</text>'
        f'{_drawing(line, lanes, middle)}<text class="words">{text}</text></g>'
    )


def _drawing(line: Entry | Folded, lanes: _Lanes, y: int) -> str:
    if isinstance(line, Folded) or line.who not in lanes.x:
        return ""
    start = lanes.x[line.who]
    end = lanes.x.get(line.to, start)
    symbol = SYMBOLS[line.mark]
    if end == start:
        dot = f'<circle class="dot" cx="{start}" cy="{y}" r="4.5"/>'
        return dot + (f'<text class="symbol" x="{start + 9}" y="{y + 5}">{symbol}</text>' if symbol else "")
    return _arrow(start, end, y, symbol)


def _arrow(start: int, end: int, y: int, symbol: str) -> str:
    """A line with its head at `end`, and the symbol of a fault or hold in its middle."""
    back = 8 if end > start else -8
    head = f'<path class="head" d="M{end} {y} L{end - back} {y - 4.5} L{end - back} {y + 4.5} Z"/>'
    line = f'<line class="arrow" x1="{start}" y1="{y}" x2="{end - back // 2}" y2="{y}"/>'
    label = (
        f'<text class="symbol middle" x="{(start + end) // 2}" y="{y + 5}">{symbol}</text>' if symbol else ""
    )
    return line + head + label


def _words(line: Entry | Folded) -> str:
    if isinstance(line, Folded):
        return clean(line.what)
    name = f"✗ {line.who}: " if line.mark == "violation" else ""
    note = f"   ← {line.note}" if line.note else ""
    return clean(f"{name}{line.what}{note}")
