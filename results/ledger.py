"""Two books side by side: what the other party recorded, and what the service did about the same."""

from dataclasses import dataclass

from results.text import clean, table


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One thing by its key, in both books; a text is empty where a book does not know it."""

    key: str
    theirs: str
    ours: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """`theirs` and `ours` are the names of the books, for the head of the columns."""

    theirs: str
    ours: str
    lines: tuple[LedgerLine, ...]


def render_ledger(ledger: Ledger) -> str:
    """A table with a ✗ before each line on which the books disagree."""
    head = ("", "", clean(ledger.theirs), clean(ledger.ours))
    rows = [
        ("" if line.agrees else "✗", clean(line.key), clean(line.theirs) or "-", clean(line.ours) or "-")
        for line in ledger.lines
    ]
    return "".join(f"{line}\n" for line in table([head, *rows]))
