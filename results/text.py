"""Small words for plain-text output: numbers, plurals, and cells as wide as a terminal draws them."""

import unicodedata
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

ELLIPSIS = "…"


def seconds(at_us: int) -> str:
    """Virtual time as seconds with three decimals, cut, not rounded: nothing is shown before it happened."""
    return f"{at_us // 1_000_000}.{at_us % 1_000_000 // 1_000:03d}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 run`, `2,113 runs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listing(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def clean(text: str) -> str:
    """One safe line: control characters (a terminal would obey them) are shown as escapes."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode("ascii")
    return character


def cells(text: str) -> int:
    """How many terminal columns the text takes (a wide character takes two)."""
    return cell_len(text)


def pad(text: str, width: int) -> str:
    """The text and blanks up to `width` columns; a longer text is left whole."""
    return text + " " * max(0, width - cells(text))


def shorten(text: str, width: int) -> str:
    """The text, cut to `width` columns with an ellipsis when it is longer."""
    if cells(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at blanks, inside a word only when it must be."""
    lines = [""]
    for word in text.split(" "):
        candidate = f"{lines[-1]} {word}" if lines[-1] else word
        if cells(candidate) <= width:
            lines[-1] = candidate
            continue
        if lines[-1]:
            lines.append("")
        *whole, rest = chop_cells(word, width) or [""]
        lines[-1:] = [*whole, rest]
    return lines


def table(
    rows: Sequence[Sequence[str]], indent: int = 1, gap: int = 2, right: Sequence[int] = ()
) -> list[str]:
    """Rows with their columns aligned; those in `right` are set flush right. No trailing blanks."""
    if not rows:
        return []
    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        parts = [_set(text, widths[i], i in right) for i, text in enumerate(row)]
        lines.append((" " * indent + (" " * gap).join(parts)).rstrip())
    return lines


def _set(text: str, width: int, to_the_right: bool) -> str:
    return " " * (width - cells(text)) + text if to_the_right else pad(text, width)
