"""Two results folders are compared pair by pair, and nothing is called fixed that was not shown to be."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from results.compare import Tally, compare, replays_needed
from results.comparison_text import render_comparison
from results.errors import ResultsError
from results.record import Outcome, RunRecord, ViolationRecord
from results.statistics import mcnemar_exact
from results.store import ResultStore

Outcomes = Mapping[tuple[str, int], Mapping[str, Outcome]]
"""(scenario, seed) to what the run says about each invariant."""


def folder(path: Path, outcomes: Outcomes, reproducer: str = "", cause: str = "lost_reply") -> ResultStore:
    """A finished results folder with these runs; each violation names the reproducer."""
    store = ResultStore.create(path.parent, id=path.name)
    for (scenario, seed), said in outcomes.items():
        name = f"{scenario}-{seed}"
        failed = [invariant for invariant, outcome in said.items() if outcome == "violated"]
        verdict = "fail" if failed else "pass"
        store.add_run(RunRecord(name, scenario, "checkout", path.name, seed, verdict, "d", 1, 1, 1), said)
        for invariant in failed:
            signature = f"{invariant} by {cause}"
            store.add_violation(ViolationRecord(name, invariant, "o-1", signature, 1, reproducer))
    store.finish()
    return ResultStore.open(path)


def runs(
    scenario: str, invariant: str, violated: int, held: int = 0, idle: int = 0
) -> dict[tuple[str, int], Mapping[str, Outcome]]:
    """So many runs of each outcome, with seeds from 1 on, the violated ones first."""
    outcomes: list[Outcome] = ["violated"] * violated + ["held"] * held + ["not_exercised"] * idle
    return {(scenario, seed): {invariant: outcome} for seed, outcome in enumerate(outcomes, start=1)}


def joined(*parts: Outcomes) -> Outcomes:
    """The runs of all parts; runs of one scenario and seed say what all of them say."""
    whole: dict[tuple[str, int], dict[str, Outcome]] = {}
    for part in parts:
        for key, said in part.items():
            whole.setdefault(key, {}).update(said)
    return whole


def change_of(base: ResultStore, candidate: ResultStore, replayed: Mapping[str, bool] | None = None) -> str:
    [invariant] = compare(base, candidate, replayed).invariants
    [scenario] = invariant.scenarios
    return scenario.change


REPRODUCER = "failures/charged_once-3f9c.json"


def pair(tmp_path: Path, base: Outcomes, candidate: Outcomes) -> tuple[ResultStore, ResultStore]:
    return folder(tmp_path / "base", base, REPRODUCER), folder(tmp_path / "candidate", candidate, REPRODUCER)


@pytest.mark.parametrize(
    ("base", "candidate", "replayed", "change"),
    [
        ((0, 9, 0), (2, 7, 0), None, "new"),
        ((0, 0, 9), (2, 7, 0), None, "new"),
        ((3, 6, 0), (1, 8, 0), None, "still_failing"),
        ((3, 6, 0), (1, 8, 0), {REPRODUCER: True}, "still_failing"),
        ((3, 6, 0), (0, 9, 0), None, "not_seen"),
        ((3, 6, 0), (0, 9, 0), {"failures/other.json": True}, "not_seen"),
        ((3, 6, 0), (0, 9, 0), {REPRODUCER: True}, "fixed"),
        ((3, 6, 0), (0, 9, 0), {REPRODUCER: False}, "still_failing"),
        ((3, 6, 0), (0, 0, 9), None, "lost"),
        ((3, 6, 0), (0, 0, 9), {REPRODUCER: True}, "lost"),
        ((3, 6, 0), (0, 0, 9), {REPRODUCER: False}, "still_failing"),
        ((0, 9, 0), (0, 0, 9), None, "lost"),
        ((0, 9, 0), (0, 9, 0), None, "clean"),
        ((0, 0, 9), (0, 9, 0), None, "clean"),
        ((0, 0, 9), (0, 0, 9), None, "idle"),
    ],
)
def test_each_pair_of_tallies_has_its_one_name(
    tmp_path: Path,
    base: tuple[int, int, int],
    candidate: tuple[int, int, int],
    replayed: Mapping[str, bool] | None,
    change: str,
) -> None:
    stores = pair(tmp_path, runs("s", "charged_once", *base), runs("s", "charged_once", *candidate))
    assert change_of(*stores, replayed) == change


def test_a_violation_without_a_reproducer_is_never_called_fixed(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", runs("s", "charged_once", 3, 6))
    candidate = folder(tmp_path / "candidate", runs("s", "charged_once", 0, 9))
    assert change_of(base, candidate, {}) == "not_seen"
    assert "not seen (no reproducer to replay)" in render_comparison(compare(base, candidate))


def test_a_scenario_that_the_candidate_did_not_run_is_lost_from_sight(tmp_path: Path) -> None:
    stores = pair(tmp_path, runs("s", "charged_once", 3, 6), {})
    comparison = compare(*stores)
    assert [one.change for one in comparison.scenarios("lost")] == ["lost"]
    assert comparison.exit_code == 4


def test_an_invariant_held_elsewhere_is_lost_only_where_it_was_violated(tmp_path: Path) -> None:
    elsewhere = runs("other", "charged_once", 0, 5)
    stores = pair(
        tmp_path,
        joined(runs("quiet", "charged_once", 0, 5), runs("loud", "charged_once", 1, 4), elsewhere),
        joined(runs("quiet", "charged_once", 0, 0, 5), runs("loud", "charged_once", 0, 0, 5), elsewhere),
    )
    [invariant] = compare(*stores).invariants
    assert {one.scenario: one.change for one in invariant.scenarios} == {
        "quiet": "elsewhere",
        "loud": "lost",
        "other": "clean",
    }


def test_only_pairs_that_both_exercised_the_invariant_are_tested(tmp_path: Path) -> None:
    stores = pair(tmp_path, runs("s", "charged_once", 6, 2, 2), runs("s", "charged_once", 1, 6, 3))
    comparison = compare(*stores)
    [invariant] = comparison.invariants
    # Seeds 1 to 7 are exercised by both: 1 violated in both, 2 to 6 in the base alone, 7 in neither.
    assert (invariant.pairs, invariant.only_base, invariant.only_candidate) == (7, 5, 0)
    assert invariant.p_value == mcnemar_exact(5, 0) == 0.0625
    assert (invariant.base, invariant.candidate) == (Tally(6, 8), Tally(1, 7))
    assert comparison.pairs == 10


def test_pairs_are_of_one_scenario_and_pool_over_scenarios(tmp_path: Path) -> None:
    stores = pair(
        tmp_path,
        joined(runs("a", "charged_once", 2, 0), runs("b", "charged_once", 0, 2)),
        joined(runs("a", "charged_once", 0, 2), runs("b", "charged_once", 1, 1)),
    )
    [invariant] = compare(*stores).invariants
    assert (invariant.pairs, invariant.only_base, invariant.only_candidate) == (4, 2, 1)


def test_p_values_are_adjusted_over_the_invariants_with_pairs(tmp_path: Path) -> None:
    idle = runs("s", "idle", 0, 0, 8)
    stores = pair(
        tmp_path,
        joined(runs("s", "charged_once", 8, 0), runs("s", "settles", 7, 1), idle),
        joined(runs("s", "charged_once", 0, 8), runs("s", "settles", 0, 8), idle),
    )
    p_values = {one.invariant: one.p_value for one in compare(*stores).invariants}
    assert p_values == {"charged_once": 2 * mcnemar_exact(8, 0), "idle": None, "settles": mcnemar_exact(7, 0)}


def test_a_seed_that_was_run_twice_counts_once_with_the_worst(tmp_path: Path) -> None:
    base = ResultStore.create(tmp_path, id="base")
    for name, outcome in (("a", "held"), ("b", "violated"), ("c", "not_exercised")):
        record = RunRecord(name, "s", "checkout", "base", 1, "pass", "d", 1, 1, 1)
        base.add_run(record, {"charged_once": outcome})  # type: ignore[dict-item]
    candidate = folder(tmp_path / "candidate", runs("s", "charged_once", 0, 1))
    [invariant] = compare(base, candidate).invariants
    assert (invariant.pairs, invariant.only_base) == (1, 1)


def test_the_reproducers_to_replay_are_those_that_decide(tmp_path: Path) -> None:
    stores = pair(
        tmp_path,
        joined(runs("s", "charged_once", 3, 6), runs("s", "settles", 0, 9)),
        joined(runs("s", "charged_once", 0, 9), runs("s", "settles", 1, 8)),
    )
    assert replays_needed(*stores) == [REPRODUCER]
    assert replays_needed(stores[1], stores[1]) == []


def test_two_targets_are_not_compared(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", runs("s", "charged_once", 0, 1))
    other = ResultStore.create(tmp_path, id="other")
    other.add_run(RunRecord("a", "s", "tickets", "main", 1, "pass", "d", 1, 1, 1), {})
    with pytest.raises(ResultsError) as caught:
        compare(base, other)
    assert str(caught.value) == (
        f"{tmp_path}/base is of checkout, {tmp_path}/other of tickets: "
        "only builds of one target can be compared. Run the candidate's scenarios on the same target."
    )


def published_example(tmp_path: Path) -> tuple[ResultStore, ResultStore]:
    """Of each kind one: fixed, new, lost from sight, still failing, clean."""
    return pair(
        tmp_path,
        joined(
            runs("s", "duplicate_charge", 31, 1969),
            runs("s", "stale_callback_wins", 0, 2000),
            runs("s", "status_monotonic", 0, 1204, 796),
            runs("s", "stock_once", 40, 1960),
            runs("s", "settles", 0, 2000),
        ),
        joined(
            runs("s", "duplicate_charge", 0, 2000),
            runs("s", "stale_callback_wins", 12, 1988),
            runs("s", "status_monotonic", 0, 0, 2000),
            runs("s", "stock_once", 38, 1962),
            runs("s", "settles", 0, 2000),
        ),
    )


def test_the_text_of_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    stores = ResultStore.open(Path("base")), ResultStore.open(Path("candidate"))
    comparison = compare(*stores, {REPRODUCER: True})
    assert render_comparison(comparison) == (
        "                      base          candidate\n"
        "duplicate_charge      31 of 2,000   0 of 2,000    fixed (reproducer replayed: holds)\n"
        "stale_callback_wins   0 of 2,000    12 of 2,000   NEW   "
        "paychaos replay candidate/failures/charged_once-3f9c.json\n"
        "status_monotonic      0 of 1,204    -             not exercised any more (was 1,204 times)\n"
        "stock_once            40 of 2,000   38 of 2,000   still failing\n"
        "\n"
        "Clean in the candidate: settles.\n"
        "Paired by scenario and seed: 2,000 pairs of runs.\n"
        " violated in          only base  only candidate  p        base          candidate\n"
        " duplicate_charge     31         0               < 0.001  1.1 to 2.2 %  0.0 to 0.2 %\n"
        " stale_callback_wins  0          12              0.001    0.0 to 0.2 %  0.3 to 1.0 %\n"
        " stock_once           2          0               1.000    1.5 to 2.7 %  1.4 to 2.6 %\n"
        " p: exact McNemar, Holm over 4 invariants; rates: Wilson 95 %\n"
        "1 new, 1 still failing, 1 fixed, 1 lost from sight. Exit 1.\n"
    )
    assert comparison.exit_code == 1


def test_without_replays_the_text_does_not_say_fixed(tmp_path: Path) -> None:
    stores = pair(tmp_path, runs("s", "charged_once", 3, 6), runs("s", "charged_once", 0, 9))
    text = render_comparison(compare(*stores))
    assert "charged_once   3 of 9   0 of 9      not seen (reproducers not replayed)\n" in text
    assert text.endswith("\n1 not seen. Exit 0.\n")
    assert "fixed" not in text


def test_a_replayed_reproducer_that_still_fails_is_told(tmp_path: Path) -> None:
    stores = pair(tmp_path, runs("s", "charged_once", 3, 6), runs("s", "charged_once", 0, 9))
    text = render_comparison(compare(*stores, {REPRODUCER: False}))
    assert "still failing (reproducer replayed: violates)" in text


def test_some_of_several_reproducers_replayed_is_not_enough(tmp_path: Path) -> None:
    base = ResultStore.create(tmp_path, id="base")
    for seed in (1, 2):
        base.add_run(RunRecord(str(seed), "s", "checkout", "base", seed, "fail", "d", 1, 1, 1), {})
        base.add_violation(
            ViolationRecord(str(seed), "charged_once", "o-1", f"cause {seed}", 1, f"failures/{seed}.json")
        )
    base.finish()
    candidate = folder(tmp_path / "candidate", runs("s", "charged_once", 0, 2))
    text = render_comparison(compare(base, candidate, {"failures/1.json": True}))
    assert "not seen (1 of 2 reproducers replayed)" in text
    text = render_comparison(compare(base, candidate, {"failures/1.json": True, "failures/2.json": True}))
    assert "fixed (reproducers replayed: hold)" in text


def test_an_invariant_with_two_fates_has_a_line_for_each_with_its_scenarios(tmp_path: Path) -> None:
    stores = pair(
        tmp_path,
        joined(
            runs("a", "charged_once", 2, 3), runs("b", "charged_once", 0, 5), runs("c", "charged_once", 0, 5)
        ),
        joined(
            runs("a", "charged_once", 1, 4), runs("b", "charged_once", 2, 3), runs("c", "charged_once", 1, 4)
        ),
    )
    lines = render_comparison(compare(*stores)).splitlines()
    assert lines[1] == "charged_once · a      2 of 5    1 of 5      still failing"
    assert lines[2].startswith("charged_once · b, c   0 of 10   3 of 10     NEW   paychaos replay ")
    assert lines[-1] == "1 new, 1 still failing. Exit 1."


def test_a_cause_that_the_base_did_not_show_is_named(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", runs("s", "charged_once", 2, 3), cause="lost_reply")
    candidate = folder(tmp_path / "candidate", runs("s", "charged_once", 2, 3), cause="crash")
    assert "still failing (also: charged_once by crash)\n" in render_comparison(compare(base, candidate))


def test_a_new_violation_where_the_base_was_idle_says_so(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", runs("s", "charged_once", 0, 0, 5))
    candidate = folder(tmp_path / "candidate", runs("s", "charged_once", 2, 3))
    text = render_comparison(compare(base, candidate))
    assert (
        f"charged_once   -      2 of 5      NEW (not exercised in base)   run s-1 of {tmp_path}/candidate\n"
        in text
    )


def test_equal_campaigns_differ_in_nothing(tmp_path: Path) -> None:
    stores = pair(
        tmp_path,
        joined(runs("s", "charged_once", 0, 5), runs("s", "idle", 0, 0, 5)),
        joined(runs("s", "charged_once", 0, 5), runs("s", "idle", 0, 0, 5)),
    )
    assert render_comparison(compare(*stores)) == (
        "Clean in the candidate: charged_once.\n"
        "Exercised in neither: idle.\n"
        "Paired by scenario and seed: 5 pairs of runs.\n"
        "No difference. Exit 0.\n"
    )


def test_campaigns_without_a_common_seed_say_that_they_are_not_paired(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", {("s", 1): {"charged_once": "held"}})
    candidate = folder(tmp_path / "candidate", {("s", 2): {"charged_once": "held"}})
    assert render_comparison(compare(base, candidate)) == (
        "Clean in the candidate: charged_once.\n"
        "No run of the base has a partner with the same scenario and seed in the candidate: the counts are\n"
        "  not paired. Run both with one --seed.\n"
        "No difference. Exit 0.\n"
    )


def test_a_candidate_that_exercised_nothing_is_not_green(tmp_path: Path) -> None:
    stores = pair(tmp_path, runs("s", "charged_once", 0, 5), runs("s", "charged_once", 0, 0, 5))
    assert render_comparison(compare(*stores)).endswith(
        "\nThe candidate put no invariant to the test. Exit 4.\n"
    )


def test_an_invariant_lost_from_sight_is_not_green(tmp_path: Path) -> None:
    stores = pair(
        tmp_path,
        joined(runs("s", "charged_once", 0, 5), runs("s", "settles", 0, 5)),
        joined(runs("s", "charged_once", 0, 0, 5), runs("s", "settles", 0, 5)),
    )
    assert render_comparison(compare(*stores)).endswith("\n1 lost from sight. Exit 3.\n")


def test_an_unfinished_folder_is_compared_and_named(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", runs("s", "charged_once", 0, 1))
    killed = ResultStore.create(tmp_path, id="killed")
    killed.add_run(
        RunRecord("a", "s", "checkout", "killed", 1, "pass", "d", 1, 1, 1), {"charged_once": "held"}
    )
    text = render_comparison(compare(base, ResultStore.open(tmp_path / "killed")))
    assert f"{tmp_path}/killed was not finished: what it holds is compared.\n" in text
