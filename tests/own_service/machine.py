"""A user's machine: an empty folder with the README's files, and paychaos installed from its wheel.

The environment is fresh but for the libraries, which it sees where this one has them: nothing is downloaded. Our own
packages come from the wheel alone, which `set_up` checks.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.house.readme import files, section, user_env
from tests.house.tree import ROOT

SECTION = "Your own service"
PYTEST = "import sys; from pytest import console_main; sys.exit(console_main())"


@dataclass(frozen=True)
class UsersMachine:
    """The folder that the user works in, and the environment of his shell."""

    folder: Path
    env: Mapping[str, str]
    files: Mapping[str, str]

    def write(self, folder: Path) -> Path:
        """Puts the files of the README into a folder."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        return folder


def call(*words: str | Path, folder: Path = ROOT) -> str:
    """Runs a tool of ours; its output."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def set_up(base: Path) -> UsersMachine:
    """Builds the wheel, installs it, and writes the README's files to an empty folder."""
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", base)
    (wheel,) = base.glob("paychaos-*.whl")
    python = fresh_environment(base / "venv")
    call(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel)
    here = call(
        python, "-c", "import harness, results; print(harness.__file__, results.__file__)", folder=base
    )
    assert all(word.startswith(str(base / "venv")) for word in here.split()), here
    folder = base / "shop"
    folder.mkdir()
    made = UsersMachine(folder, user_env(python.parent, base), files(section(SECTION)))
    made.write(folder)
    return made


def fresh_environment(folder: Path) -> Path:
    """A virtual environment that sees the libraries of this one, but not this checkout; its python."""
    call(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    script = folder / "bin" / "pytest"
    script.write_text(f"#!{python}\n{PYTEST}\n")
    script.chmod(0o755)
    return python
