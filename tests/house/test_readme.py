"""What the README tells a newcomer to type exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

PAYCHAOS = Path(sys.executable).parent / "paychaos"


def commands(first_word: str) -> list[str]:
    """The second words of the README's commands that begin with `first_word`, each once."""
    text = (ROOT / "README.md").read_text()
    return sorted(set(re.findall(rf"(?m)(?:^\s*\$ |`|^|&& ){first_word} ([a-z]+)\b", text)))


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    named = commands("make")
    assert "run" in named
    assert set(named) <= targets


def test_every_command_of_the_readme_exists() -> None:
    named = commands("paychaos")
    assert {"run", "replay"} <= set(named)
    for name in named:
        result = subprocess.run(
            [PAYCHAOS, name, "--help"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert result.returncode == 0, f"paychaos {name}: {result.stderr}"


@pytest.mark.parametrize("target", ["setup", "run", "test", "check", "bench", "fmt", "live", "help"])
def test_the_makefile_has_the_promised_targets(target: str) -> None:
    result = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 0, result.stderr
