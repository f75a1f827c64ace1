"""House rules that no linter knows: sizes, opening words, and what must not stand in any file."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT, python_files, text_files

LONGEST_FUNCTION = 70
LONGEST_FILE = 400
SHORTEST_DOCSTRING = 20


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_outgrows_400_lines() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in python_files()}
    too_long = {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}
    assert not too_long, f"split these by their nouns (at most {LONGEST_FILE} lines): {too_long}"


def test_no_function_outgrows_a_screen() -> None:
    too_long = {
        f"{relative(path)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in python_files()
        for node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert not too_long, f"cut these into named steps (at most {LONGEST_FUNCTION} lines): {too_long}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        relative(path)
        for path in python_files(*PACKAGES, "tests")
        if len((ast.get_docstring(ast.parse(path.read_text())) or "").strip()) < SHORTEST_DOCSTRING
        and path.read_text().strip()
    ]
    assert not silent, f"open each with a docstring that says what it is for: {silent}"


def test_every_test_name_is_a_sentence() -> None:
    fragments = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in python_files("tests")
        if path.name.startswith("test_")
        for node in functions(path)
        if node.name.startswith("test_") and node.name.count("_") < 3
    ]
    assert not fragments, f"say what holds, in words: {fragments}"


def test_the_lock_names_packages_and_versions_only() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert re.findall(r"\w+://\S+|(?m:^-.*index.*$)|(?m:^\S+ @ .*$)", lock) == []
    pins = re.findall(r"(?m)^[A-Za-z][\w.\[\],-]*.*$", lock)
    assert len(pins) > 50
    unpinned = [line for line in pins if "==" not in line]
    assert not unpinned, f"pin these: {unpinned}"
    assert lock.count("--hash=sha256:") >= len(pins)


@pytest.mark.parametrize(
    "pattern", [r"/root\b/", r"/home/\w", r"/Users/\w", re.escape(str(ROOT.parent)) + "/"]
)
def test_no_file_names_a_path_of_one_machine(pattern: str) -> None:
    own = Path(__file__)
    found = [
        f"{relative(path)}:{number}"
        for path in text_files()
        if path != own
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert not found, f"say it without the machine: {found}"


def sleeps(node: ast.AST, polling: bool = False) -> Iterator[int]:
    """The lines of `time.sleep` calls that are not a step of a polling loop; a coroutine is a program under test."""
    if isinstance(node, ast.AsyncFunctionDef):
        return
    polling = polling or isinstance(node, ast.While | ast.For)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep" and not polling:
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from sleeps(child, polling)


def test_no_test_sleeps_to_wait_for_something() -> None:
    sleeping = [
        f"{relative(path)}:{line}"
        for path in python_files("tests")
        for line in sleeps(ast.parse(path.read_text()))
    ]
    assert not sleeping, f"poll with a deadline instead: {sleeping}"
