"""Set-up says in one line what is wrong with the Python it was given."""

import os
import subprocess
import sys
from pathlib import Path

from tests.house.tree import ROOT

SETUP = ROOT / ".ci" / "setup.py"


def test_a_python_that_is_too_old_gets_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    pretend_old = (
        f"import sys, runpy; sys.version_info = (3, 9, 18); sys.argv = ['setup.py', {str(folder)!r}]; "
        f"runpy.run_path({str(SETUP)!r}, run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", pretend_old],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"paychaos: {sys.executable} is Python 3.9; paychaos needs 3.11, 3.12 or 3.13."
        " Name one: make setup PYTHON=python3.12\n"
    )
    assert not folder.exists()


def test_a_lock_that_cannot_be_installed_is_shown_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("nothing-of-that-name-at-all==1.0\n")
    result = subprocess.run(
        [sys.executable, SETUP, "venv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PIP_NO_INDEX": "1"},
    )
    assert result.returncode == 1
    assert "No matching distribution found for nothing-of-that-name-at-all==1.0" in result.stderr
    assert result.stderr.endswith(
        "install --require-hashes -r requirements.lock' failed."
        " The lines above say why; `make setup` again continues where it stopped.\n"
    )
