"""The command line: its words, its answers to mistakes, its exit codes, and what it prints over fake workers."""

import functools
import io
import json
import re
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.campaign.replaying import Replays, replay
from harness.catalogue import file_catalogue
from harness.cli import main
from harness.commands import doctor as doctor_command
from harness.commands import explain as explain_command
from harness.commands import replay as replay_command
from harness.commands import run as run_command
from harness.commands.paint import paint
from harness.commands.run import letters
from harness.doctor import Check
from harness.errors import HarnessError

HERE = Path(__file__).parent
SHOP = str(HERE / "fake_shop.py")
FAKE_WORKER = (sys.executable, "-P", str(HERE / "fake_worker.py"))
COMMANDS = ["run", "replay", "explain", "compare", "list", "doctor"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and workers that take no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_command, "Campaign", functools.partial(run_command.Campaign, command=FAKE_WORKER))
    monkeypatch.setattr(run_command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(explain_command, "installed_catalogue", lambda: file_catalogue(Path(SHOP)))
    monkeypatch.setattr(replay_command, "run_again", functools.partial(replay, command=FAKE_WORKER))
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code, and the one line on standard error of a command that does not work."""
    code = main(words)
    printed = capsys.readouterr()
    assert printed.err.startswith("paychaos: ")
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    return code, printed.err.removeprefix("paychaos: ").rstrip("\n")


# Words


def test_help_lists_the_commands_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert all(re.search(rf"^    {command} ", text, re.M) for command in COMMANDS)
    assert "130  interrupted, partial results are kept" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_shows_examples_that_parse(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    examples = capsys.readouterr().out.partition("examples:\n")[2].splitlines()
    assert examples
    for line in examples:
        program, *words = line.split()
        assert program == "paychaos"
        assert cli.parse(words).execute is not None


def test_no_words_at_all_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage: paychaos")


WRONG_VALUES = {
    "run": "the following arguments are required: TARGET:BUILD|FILE.py",
    "run x:y --runs 0": "argument --runs: '0' is not possible; give a whole number from 1 to 1048575",
    "run x:y --runs -3": "argument --runs: '-3' is not possible; give a whole number from 1 to 1048575",
    "run x:y --runs ten": "argument --runs: 'ten' is not possible; give a whole number from 1 to 1048575",
    "run x:y --seconds nan": "argument --seconds: 'nan' is no time to run; give seconds, more than 0 and up to 604800",
    "run x:y --seconds inf": "argument --seconds: 'inf' is no time to run; give seconds, more than 0 and up to 604800",
    "run x:y --seconds -1": "argument --seconds: '-1' is no time to run; give seconds, more than 0 and up to 604800",
    "run x:y --seconds 0": "argument --seconds: '0' is no time to run; give seconds, more than 0 and up to 604800",
    "run x:y --runs 5 --seconds 5": "argument --seconds: not allowed with argument --runs",
    "run x:y --workers 0": "argument --workers: '0' is not possible; give a whole number from 1 to 256",
    "run x:y --seed 1.5": "argument --seed: '1.5' is not possible; give a whole number from 0 to 8796093022207",
    "replay x --times 0": "argument --times: '0' is not possible; give a whole number from 1 to 10000",
    "list scenarois": (
        "argument NOUN: invalid choice: 'scenarois' (choose from 'targets', 'builds', 'scenarios', "
        "'invariants', 'faults')"
    ),
}


@pytest.mark.parametrize("words", WRONG_VALUES)
def test_a_wrong_value_is_answered_in_one_line(capsys: pytest.CaptureFixture[str], words: str) -> None:
    code, line = answer(capsys, *words.split())
    assert code == 2
    help_words = f"paychaos {words.split()[0]} --help"
    assert line.replace("'", "") == f"{WRONG_VALUES[words]}. `{help_words}` shows what it takes.".replace(
        "'", ""
    )


def test_a_wrong_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "rnu", "x") == (
        2,
        "command 'rnu' does not exist. Did you mean 'run'? `paychaos --help` shows all 6.",
    )
    assert answer(capsys, "doctor", "now") == (
        2,
        "unrecognized arguments: now. `paychaos --help` shows what it takes.",
    )


WRONG_NAMES = {
    "run nothing.py": "nothing.py does not exist; give a TARGET:BUILD (`paychaos list builds`) or a Python file.",
    "run SHOP": "target 'shop' has 2 builds; name one of them: shop:old, shop:new.",
    "run SHOP --build shop:nwe": (
        "build 'shop:nwe' does not exist. Did you mean 'shop:new'? `paychaos list builds` shows all 2."
    ),
    "run SHOP --build shop:old --scenario fals": (
        "scenario 'fals' does not exist. Did you mean 'fails'? `paychaos list scenarios` shows all 9."
    ),
    "run SHOP --build shop:old --runs 3": (
        "3 runs cannot be shared by 9 scenarios; each needs one. Give --runs 9 or more, or choose "
        "with --scenario."
    ),
    "run checkout:reference --build shop:old": (
        "--build shop:old goes with a FILE.py; `paychaos run shop:old` runs that build."
    ),
    "list scenarios nothing": (
        "'nothing' is not a Python file; `paychaos list scenarios` alone shows what is installed."
    ),
    "replay lost_reply-14": (
        "'lost_reply-14' is no reproducer, run or seed; there is no runs/latest here. Give a file of "
        "failures/, a run id (lost_reply-14) or SCENARIO:SEED."
    ),
    "replay gone.json": (
        "reproducer gone.json does not exist. The failures of the last run are in runs/latest/failures."
    ),
    "replay 14": (
        "seed 14 is not in runs/latest; name its scenario and build: `paychaos replay SCENARIO:14 "
        "--build TARGET:BUILD`."
    ),
    "replay lost_reply:14": "no run here has the seed 14; name the build that it is for: --build TARGET:BUILD.",
    "compare a b": "a is not a results folder: one holds a manifest.json. `paychaos run` makes one.",
}


@pytest.mark.parametrize("words", WRONG_NAMES)
def test_a_wrong_name_is_answered_in_one_line(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert answer(capsys, *words.replace("SHOP", SHOP).split()) == (2, WRONG_NAMES[words])


# What is known


def test_list_shows_what_is_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(noun: str) -> list[str]:
        assert main(["list", noun, SHOP]) == 0
        return capsys.readouterr().out.splitlines()

    assert listed("targets") == [" shop  api"]
    assert listed("builds") == [" shop:old  as it is", " shop:new  the change"]
    assert listed("invariants") == [" paid_once  always  An order is paid once."]
    assert listed("scenarios")[0] == " fails     shop  Finds one failure."
    assert " lost_reply" in [line[:11] for line in listed("faults")]


def test_explain_tells_what_a_fault_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "late_reply"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "fault late_reply: the request is applied at once, its answer comes late",
        "  anchored to         an answer, for example 'api>postgres COMMIT#1.reply'",
        "  parameter delay_us  default 10.000 s",
    ]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("shop:new", ["target shop", "  shop:new  the change", "  new runs  api (shop:app)"]),
        (
            "fails",
            [
                "scenario fails: Finds one failure.",
                "  target      shop",
                "  faults      lost_reply (at most 3 in a plan)",
                "  invariants  paid_once (always)",
                "  limits      50,000 steps, 120.000 s, then 120.000 s to settle",
            ],
        ),
    ],
)
def test_explain_tells_what_the_catalogue_holds(
    capsys: pytest.CaptureFixture[str], name: str, lines: list[str]
) -> None:
    assert main(["explain", name]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_explain_tells_where_an_invariant_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "paid_once"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "invariant paid_once: An order is paid once.",
        "  must hold   at all times",
        "  checked in  fails, holds, dies, idles, flickers, stays, breaks, mistakes, hangs",
    ]


def test_explain_of_an_unknown_name_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = answer(capsys, "explain", "late_replly")
    assert code == 2
    assert line.startswith("name 'late_replly' does not exist. Did you mean 'late_reply'?")


# Runs


def run_fails(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(
        ["run", SHOP, "--build", "shop:old", "--scenario", "fails", "--seed", "7", "--runs", "3", *words]
    )
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_run_prints_the_seed_first_and_the_replay_line_last(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run_fails(capsys, "--out", "runs/base")
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == (
        "paychaos 0.1.0 · seed 7 · shop:old · 1 scenario · simulated world, no stores, 1 worker"
    )
    assert "  Order o-1 was paid twice: 42.00 EUR and 42.00 EUR." in lines
    assert "    lost reply   ana>api POST /pay#1.reply" in lines
    assert re.fullmatch(
        r"Replay the worst:  paychaos replay runs/base/failures/paid_once-[0-9a-f]{4}\.json", lines[-1]
    )
    assert re.fullmatch(r" +\d+ s  ✗ paid_once · fails   run 2, 1 fault\n", err)
    assert Path("runs/base/report.txt").read_text() == out
    assert Path("runs/base/report.html").read_text().startswith("<!doctype html>")
    assert "Order o-1 was paid twice" in Path("runs/base/junit.xml").read_text()
    manifest = json.loads(Path("runs/base/manifest.json").read_text())["info"]
    assert (manifest["seed"], manifest["build"], manifest["file"]) == (7, "old", SHOP)


def test_quiet_leaves_the_verdict_and_the_replay_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run_fails(capsys, "--quiet", "--out", "runs/base")
    assert (code, err) == (1, "")
    assert re.fullmatch(
        r"seed 7\nVerdict: do not ship\. 1 of 1 invariant violated \(exit 1\)\.\n"
        r"✗ paid_once · fails   paychaos replay runs/base/failures/paid_once-[0-9a-f]{4}\.json\n",
        out,
    )


def test_results_go_to_a_folder_of_the_day_by_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_command, "seed_of_today", lambda: 20261121)
    run_fails(capsys)
    run_fails(capsys)
    assert sorted(path.name for path in Path("runs").iterdir()) == ["20261121-a", "20261121-b", "latest"]
    assert Path("runs/latest").resolve().name == "20261121-b"


def test_results_are_never_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    Path("base").mkdir()
    code, line = answer(capsys, "run", SHOP, "--build", "shop:old", "--out", "base")
    assert code == 2
    assert line == "--out base exists; results are never written over. Name a new folder, or remove it."


def test_folders_of_one_day_never_run_out_of_letters() -> None:
    assert [letters(number) for number in (1, 26, 27, 52, 703)] == ["a", "z", "aa", "az", "aaa"]


def test_a_target_that_does_not_start_is_one_line_and_no_results(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_START", "fails")
    code, line = answer(capsys, "run", SHOP, "--build", "shop:old", "--quiet")
    assert code == 3
    assert line == "the target cannot be imported: 'shop:app' raised ValueError: no DATABASE_URL."
    assert not Path("runs").exists()


# Failures


@pytest.fixture
def failure(capsys: pytest.CaptureFixture[str]) -> str:
    """The path of a reproducer, as it was printed."""
    _, out, _ = run_fails(capsys, "--out", "runs/base")
    return out.split()[-1]


@pytest.mark.parametrize("form", ["path", "path without ending", "name", "run", "folder and run", "seed"])
def test_a_failure_is_replayed_by_whatever_was_printed_of_it(
    capsys: pytest.CaptureFixture[str], failure: str, form: str
) -> None:
    words = {
        "path": failure,
        "path without ending": failure.removesuffix(".json"),
        "name": Path(failure).stem,
        "run": "fails-2",
        "folder and run": "runs/base/fails-2",
        "seed": "fails:7340034",
    }
    assert main(["replay", words[form]]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "paychaos 0.1.0 · seed 7340034 · shop:old · fails"
    assert "✗ paid_once · o-1" in lines
    assert "Digest d7340034, as recorded." in lines
    assert lines[-1] == "Verdict: violated paid_once (exit 1)."


def test_a_seed_that_nobody_recorded_is_run_again_by_file_and_scenario(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["replay", f"{SHOP}:holds:7340033", "--build", "shop:old"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "paychaos 0.1.0 · seed 7340033 · shop:old · holds"
    assert lines[-1] == "Verdict: pass (exit 0)."


def test_a_replay_on_the_repaired_build_holds(capsys: pytest.CaptureFixture[str], failure: str) -> None:
    assert main(["replay", failure, "--build", "shop:new", "--times", "2", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "paychaos 0.1.0 · seed 7340034 · shop:new · fails",
        "Digest d7340034.",
        "Reproduced 0/2: paid_once · o-1.",
        "Verdict: pass (exit 0).",
    ]


def test_a_damaged_or_newer_reproducer_is_answered_in_one_line(
    capsys: pytest.CaptureFixture[str], failure: str
) -> None:
    document = json.loads(Path(failure).read_text())
    Path("newer.json").write_text(json.dumps({**document, "format": 3}))
    code, line = answer(capsys, "replay", "newer.json")
    assert code == 2
    assert line.startswith(
        "reproducer newer.json was written in format 3; this version reads up to 1. Upgrade, or re-run"
    )
    Path("cut.json").write_text(Path(failure).read_text()[:50])
    code, line = answer(capsys, "replay", "cut.json")
    assert code == 2
    assert line.startswith("reproducer cut.json is damaged: ")


def test_a_reproducer_whose_file_is_elsewhere_says_so(
    capsys: pytest.CaptureFixture[str], failure: str
) -> None:
    document = json.loads(Path(failure).read_text())
    Path("lost.json").write_text(json.dumps({**document, "source": "chaos/shop.py"}))
    code, line = answer(capsys, "replay", "lost.json")
    assert code == 2
    assert line == (
        "the scenario 'fails' is defined in chaos/shop.py, which is not here;"
        " run `paychaos replay` from the folder where it was found."
    )


def test_a_seed_of_several_runs_asks_for_the_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "run",
            SHOP,
            "--build",
            "shop:old",
            "--scenario",
            "fails",
            "--scenario",
            "holds",
            "--seed",
            "7",
            "--runs",
            "6",
        ]
    )
    capsys.readouterr()
    code, line = answer(capsys, "replay", "7340034")
    assert code == 2
    assert re.fullmatch(
        r"seed 7340034 is that of 2 runs, one for each scenario;"
        r" name one: (fails|holds):7340034, (fails|holds):7340034\.",
        line,
    )


def test_a_near_failure_is_offered_for_a_wrong_name(capsys: pytest.CaptureFixture[str], failure: str) -> None:
    name = Path(failure).stem
    _, line = answer(capsys, "replay", name.replace("paid", "payd"))
    assert f"Did you mean {name!r}?" in line


def test_explain_shows_a_failure_as_it_was_recorded(capsys: pytest.CaptureFixture[str], failure: str) -> None:
    assert main(["explain", failure.removesuffix(".json")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("✗ paid_once · fails · shop:old\n  Order o-1 was paid twice")
    assert text.endswith(f"Replay:  paychaos replay {failure}\n")


def test_compare_replays_the_old_failure_before_it_says_fixed(
    capsys: pytest.CaptureFixture[str], failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.commands.compare.Replays", functools.partial(Replays, command=FAKE_WORKER))
    main(
        [
            "run",
            SHOP,
            "--build",
            "shop:new",
            "--scenario",
            "fails",
            "--seed",
            "7",
            "--runs",
            "3",
            "--out",
            "runs/new",
        ]
    )
    capsys.readouterr()
    assert main(["compare", "runs/base", "runs/new"]) == 0
    printed = capsys.readouterr()
    assert "fixed (reproducer replayed: holds)" in printed.out
    assert printed.err == f"replaying failures/{Path(failure).name} on the candidate …\n"
    assert main(["compare", "runs/new", "runs/base", "--quiet"]) == 1
    assert f"paychaos replay runs/base/failures/{Path(failure).name}" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_marks_are_coloured_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    text = "✗ paid_once\n fails  ✗  a ✗b\n"
    assert paint(text, Terminal()) == "\x1b[31m✗\x1b[0m paid_once\n fails  \x1b[31m✗\x1b[0m  a ✗b\n"
    assert paint(text, io.StringIO()) == text
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint(text, Terminal()) == text


# The machine, and us


def test_doctor_names_what_is_missing_and_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [
        Check("Python 3.11 to 3.13", "both worlds", "bin/python", "3.12.1"),
        Check("docker", "live world, containers", "", remedy="apt-get install docker.io"),
    ]
    monkeypatch.setattr(doctor_command, "examine", lambda: checks)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == (
        "    what                 needed for              version  found\n"
        " ✓  Python 3.11 to 3.13  both worlds             3.12.1   bin/python\n"
        " ✗  docker               live world, containers  -        missing\n"
        "\ndocker is missing. To get it:\n  apt-get install docker.io\n"
        "\nThe simulated world can run.\n"
    )
    checks.append(Check("polars", "both worlds", "", remedy="pip install 'polars'"))
    assert main(["doctor"]) == 3
    assert capsys.readouterr().out.endswith("The simulated world cannot run here (exit 3).\n")


@pytest.mark.parametrize("error", [HarnessError("a lane without an end"), KeyError("lane")])
def test_a_bug_of_ours_shows_its_traceback_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> list[Check]:
        raise error

    monkeypatch.setattr(doctor_command, "examine", fail)
    assert main(["doctor"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert err.endswith("paychaos: this is our bug, not yours. Please report it with the lines above.\n")
