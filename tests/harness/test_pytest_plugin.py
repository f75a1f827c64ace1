"""Scenarios under pytest: collected, searched, and told in a few lines. Once for real, else over fake workers."""

import functools
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from harness import testing

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
FAKE_WORKER = (sys.executable, "-P", str(HERE / "fake_worker.py"))
TOOLS = Path(sys.executable).parent
SECONDS = 60
OURS = ("-p", "harness.pytest_plugin")
"""For processes without the other plugins of this environment, which take seconds to load."""

SERVICE = """
counted = 0

async def app(scope, receive, send):
    global counted
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    counted += scope["method"] == "POST"
    body = str(counted).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""

SUITE = """
from harness import Process, Target, always, scenario

counter = Target("counter", [Process("api", asgi="counting_service:app")])

@scenario(counter, faults=["lost_reply"])
async def order_again(world):
    ana = world.client("ana")
    first = await ana.post("/orders", timeout_us=2_000_000)
    if first.kind == "unknown":
        await ana.post("/orders")
    await ana.get("/orders")

@scenario(counter)
async def order_once(world):
    ana = world.client("ana")
    await ana.post("/orders")
    await ana.get("/orders")

@order_again.invariant(always)
@order_once.invariant(always)
def counted_once(state):
    told = [outcome.body for outcome in state.outcomes if outcome.method == "GET" and outcome.kind == "ok"]
    for counted in told:
        assert counted == 1, f"one order was counted {counted} times"
    return len(told)

def test_something_else_entirely():
    assert True
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "counting_service.py").write_text(SERVICE)
    (tmp_path / "orders_chaos.py").write_text(SUITE)
    return tmp_path


def run(folder: Path, *words: str, program: str = "pytest") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOOLS / program), *words],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.timeout(150)
def test_a_failure_holds_the_finding_the_faults_and_a_replay_line_that_works(suite: Path) -> None:
    options = ("--paychaos-seed=7", "--paychaos-runs=6", "--junitxml=junit.xml")
    done = run(suite, *OURS, "orders_chaos.py", *options)
    assert done.returncode == 1, done.stdout
    assert "\npaychaos: seed 7\n" in done.stdout
    assert "1 failed, 2 passed" in done.stdout
    section = done.stdout.partition("_ scenario order_again _")[2].partition("short test summary")[0]
    assert "Traceback" not in section
    assert section.splitlines()[1:5] == [
        "counted_once: one order was counted 2 times",
        "  It takes one fault:",
        "    lost reply   ana>api POST /orders#1.reply",
        "  Reproduced 3/3.",
    ]
    replay = re.search(r"Replay:  (paychaos replay runs/pytest/counted_once-[0-9a-f]{4}\.json)\n", section)
    assert replay is not None

    cases = {case.get("name"): case for case in ElementTree.parse(suite / "junit.xml").iter("testcase")}
    assert set(cases) == {"order_again", "order_once", "test_something_else_entirely"}
    properties = {item.get("name"): item.get("value") for item in cases["order_once"].iter("property")}
    assert properties == {"paychaos_seed": "7", "paychaos_runs": "6", "paychaos_not_exercised": ""}
    message = cases["order_again"].find("failure")
    assert message is not None
    assert str(message.get("message")).startswith("counted_once: one order was counted 2 times")

    program, *words = replay[1].split()
    again = run(suite, *words, program=program)
    assert again.returncode == 1, again.stderr
    assert ", as recorded." in again.stdout


@pytest.fixture
def shop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with the scenarios of `fake_shop`, and workers that take no time."""
    shutil.copy(HERE / "fake_shop.py", pytester.path / "shop_chaos.py")
    monkeypatch.setattr(testing, "Session", functools.partial(testing.Session, command=FAKE_WORKER))
    return pytester


OLD = ("--paychaos-build", "shop:old", "--paychaos-seed", "7", "-p", "no:cacheprovider")


def test_scenarios_are_collected_beside_other_tests_and_chosen_by_name(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_orders="from shop_chaos import fails, holds\ndef test_other(): pass\n")
    listed = shop.runpytest_inprocess("--collect-only", "-q", "-k", "holds or other")
    assert listed.outlines[:2] == ["test_orders.py::holds", "test_orders.py::test_other"]
    assert (
        shop.runpytest_inprocess("--collect-only", "-q", "shop_chaos.py")
        .outlines[-1]
        .startswith("9 tests collected")
    )


def test_the_first_failure_stops_the_session_when_asked(shop: pytest.Pytester) -> None:
    done = shop.runpytest_inprocess("shop_chaos.py", "-x", "-k", "holds or fails", *OLD)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["paychaos: seed 7", "*Replay:  paychaos replay runs/pytest/paid_once-*.json"])


def test_xdist_runs_scenarios_side_by_side_with_one_seed(
    shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    shop.makeconftest(
        "import functools, harness.testing as t\n"
        f"t.Session = functools.partial(t.Session, command={FAKE_WORKER!r})\n"
    )
    done = shop.runpytest_subprocess(
        *OURS, "-p", "xdist", "shop_chaos.py", "-n", "2", "-k", "holds or fails", *OLD
    )
    done.assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("scenario", "lines"),
    [
        ("idles", ["nothing was exercised: 3 runs put no invariant to the test."]),
        ("mistakes", ["shop_chaos.py:7: AttributeError: 'World' object has no attribute 'pay'."]),
        (
            "flickers",
            [
                "paid_once: Order o-1 was paid twice: 42.00 EUR and 42.00 EUR.",
                "  It takes one fault:",
                "    lost reply   ana>api POST /pay#1.reply",
                "  Reproduced 1/3.",
            ],
        ),
    ],
)
def test_what_kept_a_scenario_from_passing_is_told_without_our_stack(
    shop: pytest.Pytester, scenario: str, lines: list[str]
) -> None:
    done = shop.runpytest_inprocess("shop_chaos.py", "-k", scenario, *OLD)
    start = next(number for number, line in enumerate(done.outlines) if f"_ scenario {scenario} _" in line)
    assert done.outlines[start + 1 : start + 1 + len(lines)] == lines
    assert "Traceback" not in str(done.stdout)


def test_a_bug_of_ours_is_told_with_its_traceback(shop: pytest.Pytester) -> None:
    done = shop.runpytest_inprocess("shop_chaos.py", "-k", "breaks", *OLD)
    done.stdout.fnmatch_lines(["*ZeroDivisionError: 1 / 0*"])
    assert "Traceback (most recent call last)" in str(done.stdout)


def test_a_canary_that_passes_fails_every_scenario(
    shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CANARY", "dead")
    done = shop.runpytest_inprocess("shop_chaos.py", "-k", "holds", *OLD)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*the canary, a program with a known defect, passed 3 runs*"])


def test_a_build_must_be_chosen_when_there_are_several(shop: pytest.Pytester) -> None:
    done = shop.runpytest_inprocess("shop_chaos.py", "-k", "fails")
    done.stdout.fnmatch_lines(
        ["target 'shop' has 2 builds; say which: --paychaos-build shop:old or shop:new."]
    )
    new = ("--paychaos-build", "shop:new", *OLD[2:])
    shop.runpytest_inprocess("shop_chaos.py", "-k", "fails", *new).assert_outcomes(passed=1)


def test_an_impossible_number_of_runs_is_refused(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_inprocess("--paychaos-runs=0")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(
        ["*argument --paychaos-runs: '0' is not possible; give a whole number from 1 to*"]
    )


def test_the_plugin_imports_next_to_nothing_and_patches_nothing_until_it_is_used(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        "import sys, time, random\n"
        "def test_what_is_loaded():\n"
        "    assert 'harness.pytest_plugin' in sys.modules\n"
        "    heavy = {'trio', 'polars', 'rich', 'httpx', 'harness.campaign.worker', 'harness.sim'}\n"
        "    assert not heavy & set(sys.modules)\n"
        "    assert type(time.time).__name__ == 'builtin_function_or_method'\n"
        "    assert random.random.__self__ is random._inst\n"
    )
    others = [
        word
        for name in ("schemathesis", "hypothesispytest", "faker", "anyio", "xdist")
        for word in ("-p", f"no:{name}")
    ]
    pytester.runpytest_subprocess(*others).assert_outcomes(passed=1)
