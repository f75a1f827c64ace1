"""Exploration policies: what decides a choice, and that each order has its chance."""

import itertools
import subprocess
import sys

import pytest

from harness.errors import UsageError
from harness.names import parse_name
from harness.plan import POLICIES
from harness.policy import Candidate, make_policy
from harness.policy.candidate import WINDOWS_US

KINDS = (
    "api>postgres UPDATE orders#1",
    "worker>postgres UPDATE orders#1",
    "provider>api paid#1",
    "api>redis GET k#1",
)


def candidates(names=KINDS):
    return [Candidate(parse_name(name), 1_000 + order, order) for order, name in enumerate(names)]


def order_of(policy, names=KINDS):
    left = candidates(names)
    return [str(left.pop(policy.choose(left)).name) for _ in names]


def test_fifo_takes_the_earliest_message_and_looks_no_further():
    policy = make_policy("fifo", 7)
    assert policy.window_us == 0
    assert order_of(policy) == list(KINDS)


@pytest.mark.parametrize("name", ["random", "pos"])
def test_a_seed_decides_the_order(name):
    orders = {tuple(order_of(make_policy(name, 7))) for _ in range(5)}
    assert len(orders) == 1


@pytest.mark.parametrize("name", ["random", "pos"])
def test_every_order_of_racing_messages_has_its_chance(name):
    names = [f"{node}>postgres UPDATE orders#1" for node in ("a", "b", "c")]
    counts = dict.fromkeys(itertools.permutations(names), 0)
    for seed in range(1_200):
        counts[tuple(order_of(make_policy(name, seed), names))] += 1
    assert min(counts.values()) > 120, counts


@pytest.mark.parametrize("name", ["random", "pos"])
def test_seeds_use_every_window(name):
    assert {make_policy(name, seed).window_us for seed in range(30)} == set(WINDOWS_US)


def test_pos_keeps_the_priority_of_a_message_that_does_not_race_with_the_delivered_one():
    for seed in range(50):
        policy = make_policy("pos", seed)
        racing = candidates(KINDS[:2])
        lone = Candidate(parse_name("api>redis GET k#1"), 2_000, 9)
        first = policy.choose([*racing, lone])
        if first == 2:
            continue
        before = policy._priorities[lone.order]
        policy.choose([racing[1 - first], lone])
        assert policy._priorities.get(lone.order, before) == before


def test_choices_do_not_depend_on_the_hash_seed():
    program = (
        "from harness.policy import *; from harness.names import parse_name\n"
        "names = ['a>p UPDATE t#1', 'b>p UPDATE t#1', 'c>q GET k#1']\n"
        "for policy in ('random', 'pos'):\n"
        "    for seed in range(20):\n"
        "        made = make_policy(policy, seed)\n"
        "        left = [Candidate(parse_name(n), i, i) for i, n in enumerate(names)]\n"
        "        while left: print(left.pop(made.choose(left)).name)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1


def test_every_policy_that_a_plan_may_name_can_be_made():
    assert [make_policy(name, 1).choose(candidates(KINDS[:1])) for name in POLICIES] == [0, 0, 0]


def test_an_unknown_policy_is_answered_with_the_closest_name():
    with pytest.raises(UsageError) as caught:
        make_policy("rando", 1)
    assert str(caught.value) == (
        "policy 'rando' does not exist. Did you mean 'random'? `paychaos run --help` shows all 3."
    )
