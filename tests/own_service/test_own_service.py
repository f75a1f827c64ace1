"""The README's example as its reader would do it: the wheel installed, an empty folder, the text copied."""

import json
import re
from pathlib import Path

import pytest

from tests.house.readme import Shown, commands, demand_as_shown, run, section
from tests.own_service.machine import SECTION, UsersMachine

LONGEST_TARGET, LONGEST_SCENARIO = 30, 20
FILE = "tickets_chaos.py"
SENTENCE = "seat 7 was sold 2 times"
REPLAY = re.compile(r"Replay[^:]*:\s+(paychaos replay \S+)")
DIGEST = re.compile(r"^Digest (\w{32}), as recorded\.$", re.MULTILINE)

SHOWN = [*commands(section(SECTION)), *commands(section("Under pytest"))]

pytestmark = [pytest.mark.timeout(150), pytest.mark.xdist_group("own service")]


def command(first: str) -> Shown:
    """The README's command that begins with these words."""
    (found,) = [shown for shown in SHOWN if shown.command.startswith(first)]
    return found


def replayed_digest(output: str, machine: UsersMachine) -> tuple[str, str]:
    """Runs the last replay line that was printed; (digest that it prints, digest that was recorded)."""
    line = REPLAY.findall(output)[-1]
    done = run(Shown(f"{line} --quiet", ()), machine.folder, machine.env)
    assert done.returncode == 1, done.stdout + done.stderr
    found = DIGEST.search(done.stdout)
    assert found, done.stdout
    recorded = json.loads((machine.folder / line.split()[-1]).read_text())["digest"]
    return found[1], recorded


def test_the_target_and_the_scenario_are_short(machine: UsersMachine) -> None:
    target, at, scenario = machine.files[FILE].partition("@scenario")
    assert at
    assert len(target.strip().splitlines()) <= LONGEST_TARGET
    assert len(scenario.strip().splitlines()) <= LONGEST_SCENARIO


def test_the_service_knows_nothing_of_us(machine: UsersMachine) -> None:
    service = {name: text for name, text in machine.files.items() if name != FILE}
    assert sorted(service) == ["schema.sql", "tickets/api.py", "tickets/mailer.py"]
    assert not [name for name, text in service.items() if "harness" in text or "paychaos" in text]


def test_run_finds_the_seat_sold_twice_and_its_replay_line_works(machine: UsersMachine) -> None:
    shown = command("paychaos run")
    done = run(shown, machine.folder, machine.env)
    assert done.returncode == 1, done.stderr
    assert SENTENCE in done.stdout
    demand_as_shown(shown, done)
    digest, recorded = replayed_digest(done.stdout, machine)
    assert digest == recorded


def test_pytest_finds_the_same_and_its_replay_line_works(machine: UsersMachine) -> None:
    shown = command("pytest")
    done = run(shown, machine.folder, machine.env)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"seat_is_sold_once: {SENTENCE}" in done.stdout
    assert "harness/" not in done.stdout, "our stack is nobody's business"
    demand_as_shown(shown, done)
    digest, recorded = replayed_digest(done.stdout, machine)
    assert digest == recorded


@pytest.mark.parametrize(
    ("right", "wrong", "answer"),
    [
        ("lost_reply", "lost_replly", "fault 'lost_replly' does not exist. Did you mean 'lost_reply'?"),
        ("instances=2", "instance=2", "unexpected keyword argument 'instance'. Did you mean 'instances'?"),
        ("import Process", "import Proces", "cannot import name 'Proces' from 'harness'"),
        ("schema.sql", "shema.sql", "Did you mean 'schema.sql'?"),
        ("tickets.api:app", "tickets.apy:app", "Did you mean 'api'?"),
        ("tickets.api:app", "tickets.api", "an entry reads 'package.module:name'."),
        ("{postgres}", "{postgress}", "'postgress' stands for nothing. Did you mean 'postgres'?"),
        ("(always)", '("allways")', "invariant phase 'allways' does not exist; use always or eventually"),
        ("async def two", "def two", "'await' outside async function"),
    ],
)
def test_a_mistake_is_answered_with_its_line_and_the_right_name(
    machine: UsersMachine, tmp_path: Path, right: str, wrong: str, answer: str
) -> None:
    text = machine.files[FILE]
    machine.write(tmp_path)
    (tmp_path / FILE).write_text(text.replace(right, wrong, 1))
    done = run(Shown(f"paychaos list scenarios {FILE}", ()), tmp_path, machine.env)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"paychaos: {FILE}:"), line
    assert answer in line


ATOMIC = """    if not await app.state.redis.set(f"hold:{seat}", buyer, nx=True, ex=30):
        raise HTTPException(409, "somebody else is buying this seat")
"""
REPRODUCER = {
    "format": 1,
    "paychaos": "0.1.0",
    "target": "tickets",
    "build": "default",
    "scenario": "two_buyers_one_seat",
    "source": FILE,
    "invariant": "seat_is_sold_once",
    "entity": "",
    "sentence": SENTENCE,
    "digest": "",
    "found": {"seed": 0, "run": 1},
    "shrunk_from": 1,
}
EXPIRED = {"fault": "expire", "at": "api-2>redis SET hold:*#1", "keys": "hold:*"}


def test_an_atomic_hold_cures_the_order_but_not_a_hold_that_expires(
    machine: UsersMachine, tmp_path: Path
) -> None:
    machine.write(tmp_path)
    api = machine.files["tickets/api.py"]
    start, end = api.index("    if await app.state.redis.get"), api.index("    if await app.state.database")
    (tmp_path / "tickets" / "api.py").write_text(api[:start] + ATOMIC + api[end:])
    plan = {"seed": 7, "inputs": {}, "faults": [], "constraints": [], "policy": "fifo"}
    for faults, code in ([], 0), ([EXPIRED], 1):
        (tmp_path / "found.json").write_text(json.dumps({**REPRODUCER, "plan": {**plan, "faults": faults}}))
        done = run(Shown("paychaos replay found.json --quiet", ()), tmp_path, machine.env)
        assert done.returncode == code, done.stdout + done.stderr


def test_a_mistake_that_shows_in_a_run_is_answered_with_its_line(
    machine: UsersMachine, tmp_path: Path
) -> None:
    machine.write(tmp_path)
    (tmp_path / FILE).write_text(machine.files[FILE].replace("await world", "world", 1))
    done = run(Shown(f"paychaos run {FILE} --runs 1 --quiet", ()), tmp_path, machine.env)
    assert done.returncode == 2, done.stdout
    assert done.stderr == (
        f"paychaos: {FILE}:18: coroutine 'World.together' was never awaited. Write `await` in front of it.\n"
    )


def test_nothing_is_left_behind_but_the_results(machine: UsersMachine) -> None:
    here = {path.name for path in machine.folder.iterdir()}
    assert here - {"runs", "__pycache__", ".pytest_cache"} == {"tickets", "schema.sql", FILE}
