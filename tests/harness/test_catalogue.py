"""What can be run, found in files and entry points; and each mistake in a user's file with its line and a near name."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from itertools import count
from pathlib import Path

import pytest

from harness import Process, Scenario, Target, catalogue
from harness.catalogue import file_catalogue, installed_catalogue
from harness.errors import PaychaosError, TargetError, UsageError

SHOP = Path(__file__).parent / "fake_shop.py"

FILE = """
from harness import Process, Target, always, scenario

svc = Target(name="svc", processes=[Process("api", asgi="svc:app")])

@scenario(svc, faults=["lost_reply"])
async def order_once(world):
    await world.client("ana").post("/orders")

@order_once.invariant(always)
def counted_once(state):
    assert True
"""

Write = Callable[[str], Path]
NUMBERS = count()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a user's file under a name of its own (an imported module stays imported)."""

    def write(text: str) -> Path:
        path = tmp_path / f"user_{next(NUMBERS)}_chaos.py"
        path.write_text(text)
        return path

    return write


def mistake(path: Path) -> str:
    with pytest.raises(PaychaosError) as error:
        file_catalogue(path)
    assert error.value.exit_code in (2, 3)
    return str(error.value).replace(path.name, "FILE").replace(str(path), "FILE")


def test_a_file_gives_its_scenarios_and_their_targets(write: Write) -> None:
    found = file_catalogue(write(FILE))
    assert [scenario.name for scenario in found.scenarios] == ["order_once"]
    assert list(found.targets) == ["svc"]
    assert list(found.invariants()) == ["counted_once"]


MISTAKES = {
    "fault": (
        '"lost_reply"',
        '"lost_replly"',
        "FILE:6: fault 'lost_replly' does not exist. Did you mean 'lost_reply'? `paychaos list faults` shows all",
    ),
    "option": (
        "faults=",
        "fault=",
        "FILE:6: TypeError: Scenario.__init__() got an unexpected keyword argument 'fault'. Did you mean 'faults'?",
    ),
    "name": (
        "(always)",
        "(alwys)",
        "FILE:10: NameError: name 'alwys' is not defined. Did you mean 'always'?",
    ),
    "attribute": (
        "order_once.invariant",
        "order_once.infariant",
        "FILE:10: AttributeError: 'Scenario' object has no attribute 'infariant'. Did you mean 'invariant'?",
    ),
    "import": (
        "import Process",
        "import Proces",
        "FILE:2: ImportError: cannot import name 'Proces' from 'harness'",
    ),
    "process": (
        ', asgi="svc:app"',
        "",
        "FILE:4: process 'api' needs exactly one of asgi='module:app' and main='module:function'.",
    ),
    "syntax": (
        "async def",
        "async deff",
        "FILE:7: invalid syntax: 'async deff order_once(world):'. Python cannot read the file.",
    ),
    "plain workload": (
        "async def order_once(world):\n    await",
        "def order_once(world):\n    return",
        "FILE:6: scenario 'order_once' is a plain function; a workload is `async def order_once(world)`.",
    ),
    "workload's parameters": (
        "(world)",
        "(world, ana)",
        "FILE:6: scenario 'order_once' takes (world, ana); a workload takes the world alone.",
    ),
    "async check": (
        "def counted",
        "async def counted",
        "FILE:10: invariant 'counted_once' is async; a check is a plain `def counted_once(state)`.",
    ),
    "check's parameters": (
        "(state)",
        "()",
        "FILE:10: invariant 'counted_once' takes (); a check takes the state alone.",
    ),
    "phase": (
        "invariant(always)",
        "invariant('allways')",
        "FILE:10: invariant phase 'allways' does not exist; use always or eventually from harness.",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_answered_with_line_value_rule_and_near_name(write: Write, kind: str) -> None:
    right, wrong, answer = MISTAKES[kind]
    assert right in FILE
    assert mistake(write(FILE.replace(right, wrong, 1))).startswith(answer)


def test_a_near_name_is_offered_for_a_wrong_import(write: Write) -> None:
    assert mistake(write(FILE.replace("import Process", "import Proces"))).endswith("Did you mean 'Process'?")


def test_a_module_that_is_not_there_is_named_with_the_remedy(write: Write) -> None:
    assert mistake(write("import no_such_module\n" + FILE)) == (
        "FILE:1: ModuleNotFoundError: No module named 'no_such_module'."
        " Install it in this environment, or run from the folder that holds it."
    )


def test_a_file_without_a_scenario_is_told_how_to_make_one(write: Write) -> None:
    assert mistake(write("x = 1\n")).endswith(
        "holds no scenario; decorate an async function with `@scenario(target, faults=[…])` from harness."
    )


def test_a_scenario_without_an_invariant_cannot_fail(write: Write) -> None:
    assert mistake(write(FILE.partition("@order_once")[0])) == (
        "FILE:6: scenario 'order_once' has no invariant, so no run of it can fail;"
        " add one with `@order_once.invariant(always)`."
    )


def test_two_scenarios_of_one_name_are_refused(write: Write) -> None:
    second = FILE[FILE.index("@scenario") :].replace("order_once", "order_two")
    again = FILE + second.replace("@scenario(svc,", "@scenario(svc, name='order_once',")
    assert mistake(write(again)) == (
        "FILE:13: scenario 'order_once' is defined twice for target 'svc'; rename one."
    )


def test_a_file_of_a_package_is_imported_under_its_dotted_name(tmp_path: Path) -> None:
    package = tmp_path / "chaos_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("NAME = 'svc'\n")
    (package / "suite.py").write_text(
        FILE.replace('name="svc"', "name=NAME").replace("\nsvc =", "\nfrom .parts import NAME\nsvc =", 1)
    )
    assert list(file_catalogue(package / "suite.py").targets) == ["svc"]


def test_a_file_that_hides_behind_another_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text(FILE)
    assert "another module is named 'json'" in mistake(path)


def test_a_file_that_is_not_there_or_not_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not exist; give a TARGET:BUILD \(`paychaos list builds`\)"):
        file_catalogue(tmp_path / "nothing.py")
    (tmp_path / "my-file.py").write_text(FILE)
    with pytest.raises(
        UsageError, match=r"^'my-file.py' cannot be imported; name the file like a Python module"
    ):
        file_catalogue(tmp_path / "my-file.py")


def test_unknown_targets_and_builds_come_with_the_nearest_name() -> None:
    shop = file_catalogue(SHOP)
    with pytest.raises(UsageError) as error:
        shop.build("shpo:old")
    assert (
        str(error.value)
        == "target 'shpo' does not exist. Did you mean 'shop'? `paychaos list targets` shows all 1."
    )
    with pytest.raises(UsageError) as error:
        shop.build("shop:od")
    assert (
        str(error.value)
        == "build 'shop:od' does not exist. Did you mean 'shop:old'? `paychaos list builds` shows all 2."
    )
    with pytest.raises(UsageError) as error:
        shop.build("shop")
    assert str(error.value) == "target 'shop' has 2 builds; name one of them: shop:old, shop:new."
    with pytest.raises(UsageError) as error:
        shop.scenario("fals")
    assert str(error.value).startswith("scenario 'fals' does not exist. Did you mean 'fails'?")


def test_installed_packages_offer_theirs_through_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, targets=[TARGET], scenarios=[])
    assert list(installed_catalogue().targets) == ["offered"]


@pytest.mark.parametrize(
    ("targets", "answer"),
    [
        (
            None,
            "failed: TypeError: 'NoneType' object is not iterable. Repair or uninstall the package that brings it.",
        ),
        (["svc"], "gave 'svc'; it must give a list of Target."),
    ],
)
def test_an_entry_point_that_does_not_keep_its_word_is_named(
    monkeypatch: pytest.MonkeyPatch, targets: object, answer: str
) -> None:
    offer(monkeypatch, targets=targets, scenarios=[])
    with pytest.raises(TargetError) as error:
        installed_catalogue()
    assert str(error.value) == f"the entry point 'mine' = 'tests' of group 'paychaos.targets' {answer}"


TARGET = Target("offered", [Process("api", asgi="svc:app")])


class Offer(EntryPoint):
    """An entry point whose function gives what the test says."""

    given: object

    def load(self) -> Callable[[], object]:
        return lambda: OFFERS[self.group]


OFFERS: dict[str, object] = {}


def offer(monkeypatch: pytest.MonkeyPatch, *, targets: object, scenarios: list[Scenario]) -> None:
    OFFERS.update({catalogue.TARGETS_GROUP: targets, catalogue.SCENARIOS_GROUP: scenarios})
    installed_catalogue.cache_clear()
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [Offer("mine", "tests", group)])
