"""Runs are functions of their plan: equal digests under noise, for 200 and more (scenario, build, seed) triples.

Every triple is executed in two processes that differ in all that must not matter: the hash seed, whether
Hypothesis was imported, which runs came before, and whether the machine is busy.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from harness.history import first_difference
from harness.plan import Plan
from harness.scenario import Scenario
from harness.search.plans import first_plan, further_plans
from harness.search.seen import seen_in
from harness.sim.runner import SimRunner
from scenarios.suite import SCENARIOS
from tests.determinism.world import SCENARIOS as CONTENDED

pytestmark = pytest.mark.determinism

PLANS_PER_SCENARIO = 7
CONTENDED_PLANS = 24


def triples(scenarios: Sequence[Scenario], build: str, count: int) -> list[dict[str, Any]]:
    """The first plans of each scenario's search: a probe, single faults, drawn plans and random orders."""
    runner = SimRunner(scenarios[0].target, build)
    found: list[dict[str, Any]] = []
    try:
        for number, scenario in enumerate(scenarios):
            probe = first_plan(scenario, number).plan
            seen = seen_in(runner.run(scenario, probe), scenario)
            plans: list[Plan] = [
                probe,
                *(item.plan for item in islice(further_plans(scenario, seen, number), count - 1)),
            ]
            found += [{"scenario": scenario.name, "plan": plan.to_json(), "number": len(found) + i}
                      for i, plan in enumerate(plans)]  # fmt: skip
    finally:
        runner.close()
    return found


def execute(
    target: str, build: str, wanted: Sequence[dict[str, Any]], hash_seed: str, *flags: str
) -> dict[int, dict[str, Any]]:
    """Runs the triples in a process of its own; its answers by number."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.determinism.digests", target, build, *flags],
        input="".join(json.dumps(triple) + "\n" for triple in wanted),
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {answer["number"]: answer for answer in answers}


@contextmanager
def busy_machine() -> Iterator[None]:
    """One process per core computes for nothing."""
    loaded = [
        subprocess.Popen([sys.executable, "-c", "while True: sum(range(10_000))"])
        for _ in range(os.cpu_count() or 2)
    ]
    try:
        yield
    finally:
        for process in loaded:
            process.kill()
            process.wait()


def explain(target: str, build: str, triple: dict[str, Any]) -> str:
    """Both Histories of a triple that differs, from the first event that does."""
    one, two = (execute(target, build, [triple], seed, "--events") for seed in ("1", "2"))
    number = triple["number"]
    return f"{triple['scenario']}: first difference {first_difference(one[number]['events'], two[number]['events'])}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("target", "build", "count"),
    [
        ("checkout", "staging", PLANS_PER_SCENARIO),
        ("checkout", "reference", PLANS_PER_SCENARIO),
        ("contended", "default", CONTENDED_PLANS),
    ],
)
def test_equal_digests_under_noise(target: str, build: str, count: int) -> None:
    scenarios = CONTENDED if target == "contended" else SCENARIOS
    wanted = triples(scenarios, build, count)
    assert len(wanted) == count * len(scenarios)
    quiet = execute(target, build, wanted, "1")
    with busy_machine():
        noisy = execute(target, build, wanted, "2", "--hypothesis", "--reverse")
    different = [triple for triple in wanted if quiet[triple["number"]] != noisy[triple["number"]]]
    assert not different, f"{len(different)} of {len(wanted)} differ; {explain(target, build, different[0])}"


@pytest.mark.timeout(300)
def test_a_run_alone_equals_the_same_run_after_others() -> None:
    wanted = triples(SCENARIOS[:2], "staging", 3)
    together = execute("checkout", "staging", wanted, "3")
    for triple in wanted[-2:]:
        alone = execute("checkout", "staging", [triple], "4")
        assert alone[triple["number"]] == together[triple["number"]]


@pytest.mark.timeout(300)
def test_contention_is_among_what_is_repeated() -> None:
    wanted = triples(CONTENDED, "default", CONTENDED_PLANS)
    answers = execute("contended", "default", wanted, "5")
    results = {json.dumps(body) for answer in answers.values() for _, body in answer["outcomes"]}
    assert '{"result": "deadlock"}' in results
    assert '{"result": "serialization failure"}' in results


def test_the_number_of_triples_is_at_least_two_hundred() -> None:
    assert 2 * PLANS_PER_SCENARIO * len(SCENARIOS) + CONTENDED_PLANS * len(CONTENDED) >= 200
