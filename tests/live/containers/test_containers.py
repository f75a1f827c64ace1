"""Everything in Docker: PostgreSQL, Redis, Toxiproxy and the target itself, from images built here."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from harness import Build, Target
from harness.errors import InfrastructureError, TargetError
from harness.fault import fault
from harness.live.containers import OWNER, Container
from harness.live.runner import LiveRunner
from harness.plan import Plan
from harness.program import Program
from harness.scenario import Scenario
from harness.world import World
from scenarios.suite import SCENARIOS
from targets.wiring import CHECKOUT
from tests.conftest import Require
from tests.live.containers import images

INPUTS = {"amount": 4200, "quantity": 1}
_WORKER = "import asyncio, inspect, targets.checkout.{0}.worker as w; r = w.main(); r and asyncio.run(r)"


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def left_behind() -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label={OWNER}={os.getpid()}").split()


def in_containers(package: str) -> list[Program]:
    serve = (
        "-m",
        "uvicorn",
        f"targets.checkout.{package}.api:app",
        "--host",
        "127.0.0.1",
        "--port",
        "{port}",
    )
    image = f"{images.TARGET}:test"
    return [
        Program("api", image=image, command=serve, port="PORT"),
        Program("worker", image=image, command=("-c", _WORKER.format(package))),
    ]


@pytest.fixture(scope="module")
def built(require: Require) -> Iterator[None]:
    require(shutil.which("toxiproxy-server"), "toxiproxy-server", "`paychaos doctor` says how to get it.")
    require(shutil.which("redis-server"), "redis-server", "apt-get install redis-server")
    require(docker("info"), "a running Docker daemon", "apt-get install docker.io, then start dockerd.")
    images.build_all()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("POSTGRES", "REDIS", "TOXIPROXY"):
            patch.setenv(f"PAYCHAOS_{name}_IMAGE", f"{getattr(images, name)}:test")
        yield
    assert left_behind() == []


@pytest.fixture(scope="module")
def checkout() -> Target:
    builds = [Build(name, f"{name}, in containers", in_containers(name)) for name in ("staging", "reference")]
    return Target(
        "checkout",
        in_containers("reference"),
        postgres=CHECKOUT.schema,
        redis=True,
        env=CHECKOUT.env,
        dependencies=CHECKOUT.dependencies,
        builds=builds,
        entry="api",
    )


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("build", "violated"), [("staging", ["duplicate_charge"]), ("reference", [])])
def test_a_lost_reply_shows_the_same_with_everything_in_containers(
    built: None, checkout: Target, build: str, violated: list[str]
) -> None:
    shipped = next(each for each in SCENARIOS if each.name == "lost_reply")
    scenario = Scenario(shipped.workload, checkout, invariants=shipped.invariants)
    plan = Plan(1, INPUTS, faults=(fault("lost_reply", "api>provider POST /v1/payment_intents#1.reply"),))
    runner = LiveRunner(checkout, build)
    try:
        described = runner.infrastructure.describe()
        run = runner.run(scenario, plan)
    finally:
        runner.close()
    assert all("paychaos-test/" in words and "sha256:" in words for words in described.values())
    assert run.error is None
    assert run.hits == [True]
    assert [violation.invariant for violation in run.violations] == violated


@pytest.mark.timeout(120)
def test_a_crashed_and_a_paused_container_come_back(built: None, checkout: Target) -> None:
    async def look_until_it_answers(world: World) -> None:
        ana = world.client("ana")
        while (await ana.get("/health", timeout_us=500_000)).status is None:
            await world.sleep_us(100_000)

    plan = Plan(
        1,
        faults=(
            fault("crash", "ana>api GET /health#1", node="api", duration_us=200_000),
            fault("pause", "@0", node="worker", duration_us=200_000),
        ),
    )
    runner = LiveRunner(checkout, "reference")
    try:
        run = runner.run(Scenario(look_until_it_answers, checkout), plan, detail=True)
    finally:
        runner.close()
    assert run.error is None
    assert run.hits == [True, True]
    kinds = [event.kind for event in run.events if event.who == "api"]
    assert kinds.index("crashed") < kinds.index("started") < kinds.index("ready")


def test_an_image_that_is_not_there_is_named(built: None) -> None:
    with pytest.raises(InfrastructureError) as caught:
        Container("redis", "paychaos-test/nothing:test")
    assert str(caught.value) == (
        "container 'redis': there is no image 'paychaos-test/nothing:test' here;"
        " get it first: docker pull paychaos-test/nothing:test"
    )


def test_a_container_that_ends_at_start_shows_its_last_lines(built: None) -> None:
    container = Container("api", f"{images.TARGET}:test", ["-c", "raise SystemExit('no licence')"])
    try:
        while container.is_running:
            pass
        with pytest.raises(TargetError) as caught:
            container.check_alive()
    finally:
        container.stop()
    assert str(caught.value) == "container 'api' ended at start, exit code 1. Its last lines:\n  no licence"


def test_containers_of_a_process_that_was_killed_are_removed_by_the_next(built: None) -> None:
    code = (
        "import os; from harness.live.containers import Container;"
        f"Container('x', '{images.TARGET}:test', ['-c', 'import time; time.sleep(60)']);"
        "print(os.getpid(), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    owner = done.stdout.strip()
    assert docker("ps", "--quiet", "--filter", f"label={OWNER}={owner}")
    Container("y", f"{images.TARGET}:test", ["-c", "pass"]).stop()
    assert docker("ps", "--all", "--quiet", "--filter", f"label={OWNER}={owner}") == ""
