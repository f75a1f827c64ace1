"""Prints the digest of each run of a set, as JSON lines: one process of the determinism test.

``python -m tests.determinism.digests TARGET BUILD COUNT [--hypothesis] [--reverse] [--only N] [--events N]``
"""

import argparse
import json
import sys
from typing import Any

from harness.plan import Plan, plan_from_json
from harness.scenario import Scenario
from harness.sim.runner import SimRunner


def main() -> None:
    options = _options()
    if options.hypothesis:
        import hypothesis  # noqa: F401
    scenarios = {scenario.name: scenario for scenario in _scenarios(options.target)}
    triples = [json.loads(line) for line in sys.stdin]
    if options.reverse:
        triples.reverse()
    runner = SimRunner(next(iter(scenarios.values())).target, options.build)
    try:
        for triple in triples:
            _run(
                runner,
                scenarios[triple["scenario"]],
                plan_from_json(triple["plan"]),
                triple["number"],
                options.events,
            )
    finally:
        runner.close()


def _run(runner: SimRunner, scenario: Scenario, plan: Plan, number: int, detail: bool) -> None:
    run = runner.run(scenario, plan, detail=detail)
    answer: dict[str, Any] = {
        "number": number,
        "digest": run.digest,
        "verdict": run.verdict,
        "steps": run.steps,
    }
    answer["outcomes"] = [[outcome.status, outcome.body] for outcome in run.outcomes]
    if detail:
        answer["events"] = [list(event) for event in run.events]
    print(json.dumps(answer), flush=True)


def _scenarios(target: str) -> list[Scenario]:
    if target == "contended":
        from tests.determinism.world import SCENARIOS as contended

        return contended
    from scenarios.suite import SCENARIOS

    return SCENARIOS


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("build")
    parser.add_argument("--hypothesis", action="store_true")
    parser.add_argument("--reverse", action="store_true")
    parser.add_argument("--events", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
