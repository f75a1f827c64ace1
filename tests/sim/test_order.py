"""Message order: first in first out by default, bent by ordering constraints, decided by a policy otherwise."""

from harness.plan import Constraint, Plan
from harness.run import Run
from tests.sim.worlds import events, run_processes

PROGRAM = "tests.bench.counter"
PROCESSES = (f"server={PROGRAM}:serve", f"one={PROGRAM}:client", f"two={PROGRAM}:client")
ENV = {"COUNTER_PORT": "7000", "COUNTER_HOST": "server"}


def run(*constraints: Constraint, policy: str = "fifo", seed: int = 1) -> Run:
    return run_processes(*PROCESSES, env=ENV, plan=Plan(seed, constraints=constraints, policy=policy))


def delivered(run: Run) -> list[str]:
    return [event.what for event in events(run, "delivered")]


def last_write(run: Run) -> str:
    return max((text, name) for name, text in run.contents.items() if text.startswith("SET"))[0]


def test_the_default_is_first_in_first_out() -> None:
    assert delivered(run())[:2] == ["one>server GET#1", "two>server GET#1"]
    assert last_write(run()) == "SET 1\n", "both clients read before either wrote: one update is lost"


def test_a_constraint_holds_a_message_until_the_other_is_delivered() -> None:
    constrained = run(Constraint("one>server SET#1", "two>server GET#1"))
    names = delivered(constrained)
    assert names.index("one>server SET#1") < names.index("two>server GET#1")
    assert constrained.enforced == [True]
    assert constrained.infeasible == []
    assert [event.what for event in events(constrained, "held")] == ["two>server GET#1"]
    assert last_write(constrained) == "SET 2\n", "no update is lost in this order"


def test_a_constraint_that_would_stop_the_world_is_given_up_and_reported() -> None:
    impossible = run(Constraint("one>server SET#1", "one>server GET#1"))
    assert impossible.error is None
    assert impossible.infeasible == [0]
    assert impossible.enforced == [False]


def test_a_constraint_with_an_unknown_name_changes_nothing_but_the_held_message() -> None:
    unknown = run(Constraint("one>server SET#1", "nobody>server GET#9"))
    assert delivered(unknown) == delivered(run())
    assert unknown.enforced == [False]


def test_a_policy_finds_other_orders_and_the_same_seed_finds_the_same() -> None:
    for policy in ("random", "pos"):
        orders = {seed: tuple(delivered(run(policy=policy, seed=seed))) for seed in range(6)}
        assert len(set(orders.values())) > 1
        assert tuple(delivered(run(policy=policy, seed=3))) == orders[3]
