"""A target in another language: a `target.toml` suffices for a live run. The service is Node with the real SDK."""

import shutil
from pathlib import Path

import pytest

from harness.errors import NotSimulated, UsageError
from harness.fault import fault
from harness.invariant import State, always, invariant
from harness.live.runner import LiveRunner
from harness.plan import Plan
from harness.scenario import Scenario
from harness.sim.runner import SimRunner
from harness.target import Target
from harness.targetfile import target_from
from harness.world import World
from scenarios.money import charges
from tests.conftest import Require

FOLDER = Path(__file__).parent / "node_shop"
LOST = fault("lost_reply", "api>provider POST /v1/payment_intents#1.reply")


@invariant(always)
def charged_once(state: State) -> int:
    """At most one successful charge per order."""
    found = charges(state)
    for order, made in found.items():
        assert len(made) <= 1, f"Order {order} was charged {len(made)} times."
    return len(found)


async def buy(world: World) -> None:
    await world.client("ana").post("/checkout", json={"order_id": "o-1", "amount": 4200})
    status = world.state.sql("select status from orders where id = 'o-1'")
    assert status == "paid", status


@pytest.fixture(scope="module")
def shop(require: Require) -> Target:
    require(shutil.which("toxiproxy-server"), "toxiproxy-server", "`paychaos doctor` says how to get it.")
    require(shutil.which("node"), "node", "`paychaos doctor` says how to get it.")
    require(
        (FOLDER / "node_modules").is_dir(),
        "the Node service's packages",
        "npm ci --prefix tests/live/node_shop",
    )
    return target_from(FOLDER / "target.toml")


def test_a_lost_reply_makes_the_careless_shop_charge_twice(shop: Target) -> None:
    runner = LiveRunner(shop, "retry-fresh")
    try:
        run = runner.run(Scenario(buy, shop, invariants=[charged_once]), Plan(1, faults=(LOST,)))
    finally:
        runner.close()
    assert run.hits == [True]
    assert [violation.sentence for violation in run.violations] == ["Order o-1 was charged 2 times."]


def test_the_careful_shop_charges_once_under_the_same_plan(shop: Target) -> None:
    runner = LiveRunner(shop, "retry-same")
    try:
        run = runner.run(Scenario(buy, shop, invariants=[charged_once]), Plan(1, faults=(LOST,)))
    finally:
        runner.close()
    assert run.hits == [True]
    assert (run.verdict, run.violations) == ("pass", [])


def test_the_simulation_says_that_it_runs_python_only() -> None:
    shop = target_from(FOLDER / "target.toml")
    with pytest.raises(NotSimulated) as caught:
        SimRunner(shop, "retry-same")
    assert str(caught.value) == (
        "not simulated: process 'api', a program started with 'node server.js'."
        " Only Python services run in the simulation; run it with --world live."
    )


GOOD = """name = "shop"
[[process]]
name = "api"
command = ["true"]
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "is no TOML: Invalid value (at end of document). Mend that line."),
        ('name = "shop"', "has no [[process]]; it needs at least the one that customers talk to."),
        (GOOD + 'prot = "PORT"', "[[process]] has the unknown key 'prot'; it takes command, env, image, instances,"),
        (GOOD.replace('"shop"', "7"), "has name = 7; it must be a text."),
        ('postgres = "none.sql"\n' + GOOD, "names the schema 'none.sql'; there is no file"),
        ('dependencies = ["nobody:X"]\n' + GOOD, "names the dependency 'nobody:X', which cannot be loaded"),
        ('dependencies = ["targets.wiring:TARGETS"]\n' + GOOD, "'targets.wiring:TARGETS', which is a list."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_answered_with_its_place_and_rule(
    tmp_path: Path, text: str, message: str
) -> None:
    place = tmp_path / "target.toml"
    place.write_text(text)
    with pytest.raises(UsageError) as caught:
        target_from(place)
    assert str(caught.value).startswith(f"target file {place}")
    assert message in str(caught.value)


def test_a_process_without_a_command_is_answered_with_an_example(tmp_path: Path) -> None:
    place = tmp_path / "target.toml"
    place.write_text('name = "shop"\n[[process]]\nname = "api"\n')
    with pytest.raises(
        UsageError, match=r"^process 'api' has command=\(\); it must be a list of words: command ="
    ):
        target_from(place)
