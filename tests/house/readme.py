"""README.md as the tests read it: its commands, what it says they print, and the files that it shows.

A block marked ``console`` holds commands behind ``$`` and what each prints. A line that is only ``…`` stands for any
number of lines. Wall time and rates differ from run to run, so they are compared as 0; everything else is compared as
it is. A block below a line that ends in a file's name and a colon is that file.
"""

import os
import re
import shlex
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.house.tree import ROOT

_FENCE = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
_FILE = re.compile(r"(?ms)^`([\w./-]+)`:\n+```\w+\n(.*?)^```$")
_WALL_TIME = re.compile(r"\(\d+ s\)|in \d+\.\d+s|[\d.]+ runs/s")


@dataclass(frozen=True)
class Shown:
    """One command of the README, and the lines that it is said to print."""

    command: str
    output: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.command)


def section(title: str) -> str:
    """The text below a second-level heading, up to the next one."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text)
    assert match, f"README.md has no section {title!r}"
    return match[1]


def blocks(text: str, kind: str) -> list[str]:
    """The fenced blocks of a kind, in order."""
    return [body for name, body in _FENCE.findall(text) if name == kind]


def commands(text: str) -> list[Shown]:
    """The commands of the console blocks, in order."""
    shown = []
    for block in blocks(text, "console"):
        head, *parts = re.split(r"(?m)^\$ ", block)
        assert not head.strip(), f"a console block begins with output: {head!r}"
        for part in parts:
            command, *output = part.rstrip("\n").split("\n")
            shown.append(Shown(command, tuple(output)))
    return shown


def files(text: str) -> dict[str, str]:
    """Name to text of each file that is shown."""
    return dict(_FILE.findall(text))


def run(
    shown: Shown, folder: Path, env: Mapping[str, str], *, seconds: int = 100
) -> subprocess.CompletedProcess[str]:
    """Runs the command as a user would, in a folder of its own; standard error is not mixed in."""
    return subprocess.run(
        shown.words,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def user_env(bin_folder: Path, home: Path) -> dict[str, str]:
    """What a user's shell has: nothing of the test run's own settings."""
    return {"PATH": f"{bin_folder}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(home), "LANG": "C.UTF-8"}


def demand_as_shown(shown: Shown, done: subprocess.CompletedProcess[str]) -> None:
    """Fails with the whole real output, ready to be pasted, unless it is what the README shows."""
    wanted, real = _lines(shown.output), _lines(done.stdout.rstrip("\n").split("\n"))
    assert _fits(wanted, real), (
        f"README.md shows something else than `{shown.command}` prints (exit {done.returncode}):\n"
        f"{textwrap.indent(done.stdout, '    ')}{textwrap.indent(done.stderr[-2000:], '    ')}"
    )


def _lines(lines: Sequence[str]) -> list[str]:
    return [_WALL_TIME.sub("0", line).rstrip() for line in lines]


def _fits(wanted: Sequence[str], real: Sequence[str]) -> bool:
    """Whether the real lines are the wanted ones, where ``…`` fits any number of lines."""
    if not wanted:
        return not real
    first, rest = wanted[0], wanted[1:]
    if first.strip() == "…":
        return any(_fits(rest, real[start:]) for start in range(len(real) + 1))
    return bool(real) and real[0] == first and _fits(rest, real[1:])
