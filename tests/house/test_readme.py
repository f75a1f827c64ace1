"""The README tells the truth: its commands exist, print what it shows, and its lists are complete."""

import ast
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.house.readme import Shown, blocks, commands, demand_as_shown, run, section, user_env
from tests.house.tree import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
PAYCHAOS = BIN / "paychaos"
SECTIONS = [
    "The bug you know",
    "Watch it fail",
    "How it works",
    "Your own service",
    "What is simulated and what is not",
    "The provider",
    "The live world",
    "Comparing builds",
    "Under pytest",
    "Exit codes",
    "Layout and architecture",
    "Hacking",
]
RUN_HERE = ["Watch it fail", "Comparing builds"]
RUN_BY_A_USER = ["Your own service", "Under pytest"]  # tests/own_service, in an environment of its own
NOUNS = [
    "target",
    "build",
    "scenario",
    "workload",
    "world",
    "nodes",
    "links",
    "message",
    "plan",
    "faults",
    "history",
    "invariant",
    "verdict",
    "run",
    "campaign",
    "reproducer",
]
EXIT = re.compile(r"\(exit (\d+)\)|Exit (\d+)\.")


def second_words(first_word: str) -> list[str]:
    """The second words of the README's commands that begin with `first_word`, each once."""
    return sorted(set(re.findall(rf"(?m)(?:^\s*\$ |`|^|&& ){first_word} ([a-z]+)\b", TEXT)))


def answer(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """What a short command of ours says."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def ticked(text: str) -> set[str]:
    """Everything that stands between backticks, on one line or over two."""
    return {" ".join(words.split()) for words in re.findall(r"`([^`]+)`", re.sub(r"(?s)```.*?```", "", text))}


def rows(text: str) -> list[list[str]]:
    """The cells of each row of the tables, without the heads."""
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in re.findall(r"(?m)^\|.*\|$", text)
    ]
    return [row for row in found if not set("".join(row)) <= set("-|")]


def test_a_newcomer_finds_the_sections_in_this_order() -> None:
    assert re.findall(r"(?m)^## (.*)$", TEXT) == SECTIONS


def test_the_bug_is_ten_lines_of_python() -> None:
    (code,) = blocks(section("The bug you know"), "python")
    ast.parse(code)
    assert len(code.strip().splitlines()) <= 10


def test_one_paragraph_says_every_noun() -> None:
    (paragraph,) = [part for part in section("How it works").split("\n\n") if part.strip()]
    assert {" ".join(words.split()) for words in re.findall(r"\*\*([^*]+)\*\*", paragraph)} == set(NOUNS)


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    named = second_words("make")
    assert {"run", "setup", "check", "test", "bench"} <= set(named)
    assert set(named) <= targets


def test_every_command_of_the_readme_exists() -> None:
    named = second_words("paychaos")
    assert {"run", "replay", "explain", "compare", "doctor", "list"} <= set(named)
    for name in named:
        assert answer(PAYCHAOS, name, "--help").returncode == 0, f"paychaos {name}"


def test_every_option_of_the_commands_that_are_only_shown_exists() -> None:
    lines = [line for block in blocks(TEXT, "sh") for line in block.splitlines()]
    for line in [line for line in lines if line.startswith(("paychaos ", "python -m fake_provider"))]:
        words = line.split()
        program = (
            [PAYCHAOS, words[1]] if words[0] == "paychaos" else [sys.executable, "-m", words[2], words[3]]
        )
        known = answer(*program, "--help").stdout
        missing = [word for word in words if word.startswith("--") and word not in known]
        assert not missing, line


@pytest.mark.timeout(300)
def test_every_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    for shown in [shown for title in RUN_HERE for shown in commands(section(title))]:
        done = run(shown, tmp_path, user_env(BIN, tmp_path))
        demand_as_shown(shown, done)
        codes = [int(one or other) for one, other in EXIT.findall("\n".join(shown.output))]
        assert done.returncode == (codes[-1] if codes else 0), f"{shown.command}: {done.stderr}"


def test_every_section_with_commands_is_run_by_some_test() -> None:
    assert [title for title in SECTIONS if commands(section(title))] == [
        title for title in SECTIONS if title in (*RUN_HERE, *RUN_BY_A_USER)
    ]


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        (("a", "…", "c"), "a\nb\nb\nc\n", True),
        (("a", "…"), "a\n", True),
        (("a", "…", "c"), "a\nb\n", False),
        (("3 runs (4 s). Worst",), "3 runs (38 s). Worst\n", True),
        (("3 runs (4 s)",), "4 runs (4 s)\n", False),
        (("a",), "a\nb\n", False),
    ],
)
def test_only_wall_time_and_what_is_left_out_may_differ(
    shown: tuple[str, ...], printed: str, fits: bool
) -> None:
    done = subprocess.CompletedProcess([], 0, printed, "")
    if fits:
        demand_as_shown(Shown("x", shown), done)
    else:
        with pytest.raises(AssertionError, match=r"README\.md shows something else than `x` prints"):
            demand_as_shown(Shown("x", shown), done)


def test_the_compatibility_table_is_the_compatibility_tests() -> None:
    source = ast.parse((ROOT / "tests" / "compat" / "test_compat.py").read_text())
    tests = {
        node.name
        for node in source.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    table = [row for row in rows(section("What is simulated and what is not")) if len(row) == 4][1:]
    assert {row[3].strip("`") for row in table} == tests
    assert len(table) == len(tests)
    for library, shown, *_ in table:
        assert shown == version(library), f"{library}: put the version of requirements.lock into the table"


def test_the_list_of_what_is_not_simulated_is_complete() -> None:
    from harness.sim.loop import _NOT_SIMULATED
    from harness.sim.postgres import refusals
    from harness.sim.postgres.virtual import _DENIED

    words = refusals._UPKEEP | refusals._SHARED | refusals._EXTENSIONS
    names = refusals._LOOKS | refusals._PATHS | refusals._SYSTEM_COLUMNS
    text = section("What is simulated and what is not")
    assert {*_NOT_SIMULATED, *_DENIED, *names} <= ticked(text)
    assert not [word for word in words - {"analyse"} if word not in text.lower()]


def test_the_list_of_redis_commands_is_complete() -> None:
    from harness.sim.redis.command import CONTAINERS
    from harness.sim.redis.table import COMMANDS

    (details,) = re.findall(r"(?s)<details>\n<summary>The Redis commands.*?</details>", TEXT)
    assert ticked(details) == set(COMMANDS) - set(CONTAINERS)


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    from harness.cli import EXIT_CODES

    table = [row[0] for row in rows(section("Exit codes"))][1:]
    assert table == sorted(re.findall(r"\b\d+\b", EXIT_CODES), key=int)


def test_every_place_that_is_named_exists() -> None:
    places = {
        name
        for name in ticked(TEXT)
        if re.match(r"(harness|tests|targets|scenarios|fake_provider|results|\.ci)/", name)
    }
    missing = [name for name in places if "my_" not in name and not list(ROOT.glob(name))]
    assert len(places) > 20
    assert not missing


@pytest.mark.parametrize("target", ["setup", "run", "test", "check", "bench", "fmt", "live", "help"])
def test_the_makefile_has_the_promised_targets(target: str) -> None:
    result = answer("make", "--dry-run", "--always-make", target)
    assert result.returncode == 0, result.stderr
