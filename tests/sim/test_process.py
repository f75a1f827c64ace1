"""A simulated process: its surroundings, its memory, and the things it may not do."""

import pytest

from harness.errors import TargetError
from harness.fault import fault
from harness.plan import Plan
from harness.scenario import Limits
from harness.world import World
from tests.sim.worlds import events, run_processes

SECOND_US = 1_000_000
HERE = "tests.sim.programs"


async def ask(world: World) -> None:
    await world.client("customer").get("/", timeout_us=200 * SECOND_US)


async def ask_three_times(world: World) -> None:
    for _ in range(3):
        await world.client("customer").get("/")


def test_clocks_and_randomness_are_virtual_and_the_same_for_a_seed() -> None:
    one, two = (
        run_processes(f"api=asgi:{HERE}:surroundings", workload=ask, env={"FLAVOUR": "mint"}) for _ in "12"
    )
    answer = one.outcomes[0].body
    assert answer.startswith("['2026-01-01T00:01:30.00")
    assert answer.endswith("'mint']")
    assert two.outcomes[0].body == answer
    assert two.digest == one.digest


def test_another_seed_gives_other_randomness() -> None:
    one, two = (
        run_processes(f"api=asgi:{HERE}:surroundings", workload=ask, plan=Plan(seed)) for seed in (1, 2)
    )
    assert one.outcomes[0].body[:40] == two.outcomes[0].body[:40]
    assert one.outcomes[0].body != two.outcomes[0].body


def test_runs_do_not_share_module_globals() -> None:
    answers = [run_processes(f"api=asgi:{HERE}:memory", workload=ask_three_times).outcomes for _ in "12"]
    assert [[outcome.body for outcome in outcomes] for outcomes in answers] == [[1, 2, 3], [1, 2, 3]]


def test_a_restarted_process_has_forgotten_everything() -> None:
    plan = Plan(1, faults=(fault("crash", "customer>api GET /#2", node="api", duration_us=0),))

    async def patient(world: World) -> None:
        for _ in range(3):
            await world.client("customer").get("/")
            await world.sleep_us(SECOND_US)

    run = run_processes(f"api=asgi:{HERE}:memory", workload=patient, plan=plan)
    assert [(outcome.kind, outcome.body) for outcome in run.outcomes] == [
        ("ok", 1),
        ("unknown", None),
        ("ok", 1),
    ]


def test_a_crash_runs_no_finally() -> None:
    async def interrupted(world: World) -> None:
        await world.client("one").get("/work", timeout_us=5 * SECOND_US)
        await world.sleep_us(5 * SECOND_US)
        await world.client("two").get("/finals")

    plan = Plan(1, faults=(fault("crash", f"@{2 * SECOND_US}", node="api", duration_us=SECOND_US),))
    run = run_processes(f"api=asgi:{HERE}:holder", workload=interrupted, plan=plan)
    assert run.outcomes[-1].body == []


def test_skew_moves_the_clock_of_one_process() -> None:
    plan = Plan(
        1, faults=(fault("skew", "@0", node="api", ahead_us=3600 * SECOND_US, duration_us=200 * SECOND_US),)
    )
    run = run_processes(f"api=asgi:{HERE}:surroundings", workload=ask, plan=plan)
    assert run.outcomes[0].body.startswith("['2026-01-01T01:01:30.00")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("sleeps_for_real", "not simulated: time.sleep(1) in process 'api'."),
        ("starts_a_thread", "not simulated: threading.Thread.start in process 'api'."),
        ("opens_a_socket", "not simulated: socket.connect to 10.1.2.3:9092 in process 'api'."),
        ("calls_a_stranger", "not simulated: a connection to smtp.example.com:25 from process 'api'"),
        ("swallows_everything", "not simulated: a connection to smtp.example.com:25 from process 'api'"),
        ("forks_a_child", "not simulated: loop.subprocess_exec() in process 'api'."),
        ("spins", "process 'api' ran 10000 rounds of its loop without ever waiting"),
    ],
)
def test_what_is_not_simulated_ends_the_run_and_says_so(program: str, message: str) -> None:
    run = run_processes(f"api={HERE}:{program}")
    assert run.verdict == "error"
    assert run.error is not None
    assert run.error.startswith(message)


def test_a_process_that_blocks_its_loop_is_ended_from_outside() -> None:
    run = run_processes(f"api={HERE}:blocks", limits=Limits(wall_us=SECOND_US))
    assert run.verdict == "error"
    assert run.error is not None
    assert run.error.startswith("the run was still going after 1 s of real time")


def test_pauses_may_be_fractions_of_a_microsecond() -> None:
    run = run_processes(f"api=asgi:{HERE}:sleeps_oddly", workload=ask)
    assert run.error is None
    assert run.outcomes[0].status == 200


def test_a_plain_main_that_calls_asyncio_run_is_hosted() -> None:
    assert run_processes(f"api={HERE}:plain_main").error is None


def test_a_process_that_ends_is_started_again_by_its_supervisor() -> None:
    async def wait(world: World) -> None:
        await world.sleep_us(3 * SECOND_US)

    run = run_processes(f"api={HERE}:ends", workload=wait)
    assert [event.at_us for event in events(run, "started")][:1] == [1_500_000]


def test_a_target_that_never_gets_ready_is_one_clear_error() -> None:
    with pytest.raises(
        TargetError, match=r"process 'api' of small:default was not ready after 30 s of virtual time"
    ):
        run_processes(f"api=asgi:{HERE}:never_ready")


def test_a_target_that_fails_to_start_tells_why() -> None:
    with pytest.raises(TargetError, match="process 'api' of small:default does not start: no configuration"):
        run_processes(f"api=asgi:{HERE}:fails_to_start")


def test_a_target_that_cannot_be_imported_tells_why() -> None:
    with pytest.raises(TargetError, match=r"the target cannot be imported: 'tests\.sim\.nowhere:app' raised"):
        run_processes("api=tests.sim.nowhere:app")
