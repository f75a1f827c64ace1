"""The append-only file that rows go to while a campaign runs: a kill loses at most the row being written.

One JSON object per line, each written by a single system call. A line that a kill or a full disk tore can
only be the last one; the reader drops it and says so.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from results.errors import ResultsError


class Lines(NamedTuple):
    """What a line file holds; `torn` when its last line was cut off and dropped."""

    rows: list[dict[str, Any]]
    torn: bool


class LineFile:
    """The writer's end. When `append` returns, the whole line is there; when it raises, none of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, row: Mapping[str, Any]) -> None:
        """OSError when the disk refuses; the file then ends with the line before."""
        line = (json.dumps(row, separators=(",", ":")) + "\n").encode()
        written = os.write(self._handle, line)
        if written < len(line):
            os.ftruncate(self._handle, os.fstat(self._handle).st_size - written)
            raise OSError(f"only {written} of {len(line)} bytes fit")

    def close(self) -> None:
        """Idempotent."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def read_lines(path: Path) -> Lines:
    """ResultsError when a line before the last one is damaged; OSError when the file cannot be read."""
    *complete, rest = path.read_bytes().split(b"\n")
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(complete, start=1):
        row = _parse(line)
        if row is None and number == len(complete) and not rest:
            return Lines(rows, torn=True)
        if row is None:
            raise ResultsError(
                f"{path}, line {number}, is not a row: the file was edited or the disk is damaged. "
                "Delete that line to read the others, or run the campaign again."
            )
        rows.append(row)
    return Lines(rows, torn=bool(rest))


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
