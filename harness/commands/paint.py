"""Colour for a terminal: the marks alone, so that nothing is said by colour that is not said in words.

Off where the output is no terminal, where NO_COLOR is set (https://no-color.org), and on a dumb terminal.
"""

import os
import re
from typing import TextIO

MARKS = {"✗": "31", "✓": "32", "⚡": "33", "‖": "36", "!": "33"}
_MARK = re.compile(r"(?<=[ \n])(✗|✓|⚡|‖|!)(?= )|^(✗|✓)(?= )", re.M)


def wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, stream: TextIO) -> str:
    """The text with its marks coloured, if the stream wants that."""
    if not wants_colour(stream):
        return text
    return _MARK.sub(lambda match: f"\x1b[{MARKS[match[0]]}m{match[0]}\x1b[0m", text)
