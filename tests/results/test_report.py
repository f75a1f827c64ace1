"""The report of a campaign: seed first, the worst failure first, each failure once, a verdict that does not flatter."""

from dataclasses import replace

import pytest

from results.conclusion import conclude
from results.record import CoverageRecord, InvariantCount
from results.report import failure_lines, plan_lines, render_report
from results.summary import CampaignSummary, FailureSummary, FaultLine, ScenarioSummary, distinct

LOST_REPLY = FaultLine("lose the reply", "api>provider POST /v1/payment_intents#1.reply")

DUPLICATE_CHARGE = FailureSummary(
    invariant="duplicate_charge",
    scenario="lost_reply",
    entity="o-1",
    signature="duplicate_charge by lost_reply",
    sentence="Order o-1 was charged twice: 42.00 EUR (ch_1 at 0.212 s) and 42.00 EUR (ch_2 at 3.230 s).",
    faults=(LOST_REPLY,),
    constraints=(),
    first_plan_faults=5,
    runs=31,
    first_run="lost_reply-14",
    reproduced=3,
    attempts=3,
    explain="runs/latest/failures/duplicate_charge-3f9c",
    replay="runs/latest/failures/duplicate_charge-3f9c.json",
    severity=9,
)
FINALISED_TWICE = replace(
    DUPLICATE_CHARGE,
    invariant="finalised_twice",
    scenario="duplicate_callback",
    signature="finalised_twice by duplicate",
    sentence="Order o-1 was finalised twice.",
    faults=(FaultLine("duplicate", "provider>api payment_intent.succeeded#1"),),
    constraints=("provider>api payment_intent.succeeded#1 before api>postgres COMMIT#1",),
    runs=1,
    first_run="duplicate_callback-3",
    explain="runs/latest/failures/finalised_twice-01aa",
    replay="runs/latest/failures/finalised_twice-01aa.json",
    severity=5,
)


def scenario(
    name: str, *counts: tuple[str, int, int, int], runs: int = 400, **more: object
) -> ScenarioSummary:
    """A scenario with (invariant, held, violated, not exercised) for each invariant."""
    invariants = tuple(InvariantCount(name, *count) for count in counts)
    return ScenarioSummary(name, runs, invariants, **more)  # type: ignore[arg-type]


CAMPAIGN = CampaignSummary(
    version="0.1",
    seed=20261121,
    target="checkout",
    build="staging",
    world="simulated world",
    infrastructure="PostgreSQL 18.4 (embedded)",
    workers=2,
    scenarios=(
        scenario("lost_reply", ("duplicate_charge", 369, 31, 0), ("settles", 400, 0, 0)),
        scenario("duplicate_callback", ("finalised_twice", 1312, 1, 0), runs=1313),
        scenario("two_devices", ("settles", 400, 0, 0), ("never_stale", 0, 0, 400)),
        scenario("one_device", ("settles", 404, 0, 0), runs=404),
    ),
    failures=(FINALISED_TWICE, DUPLICATE_CHARGE),
    coverage=(
        CoverageRecord("lost_reply", "lose the reply", "api>provider POST /v1/payment_intents#1", 3, 2),
        CoverageRecord("lost_reply", "crash", "api>postgres COMMIT#1", 3, 0),
    ),
    wall_us=38_200_000,
    folder="runs/latest",
)

CLEAN = replace(
    CAMPAIGN,
    build="reference",
    scenarios=(scenario("lost_reply", ("duplicate_charge", 400, 0, 0)),),
    failures=(),
    coverage=(CAMPAIGN.coverage[0],),
)


def test_the_report_of_a_campaign_with_failures() -> None:
    assert render_report(CAMPAIGN) == (
        "paychaos 0.1 · seed 20261121 · checkout:staging · 4 scenarios · simulated world, "
        "PostgreSQL 18.4 (embedded), 2 workers\n"
        "\n"
        " lost_reply          ✗  duplicate_charge  run lost_reply-14         1 fault\n"
        " duplicate_callback  ✗  finalised_twice   run duplicate_callback-3  1 fault, 1 constraint\n"
        " two_devices         ✓  400 runs, 1 of 2 invariants exercised\n"
        " one_device          ✓  404 runs, all invariants exercised\n"
        "\n"
        "2 of 4 invariants violated in 2,517 runs (38 s). Worst first:\n"
        "\n"
        "✗ duplicate_charge · lost_reply\n"
        "  Order o-1 was charged twice: 42.00 EUR (ch_1 at 0.212 s) and 42.00 EUR (ch_2 at 3.230 s).\n"
        "  Seen in 31 runs, first in run lost_reply-14.\n"
        "  It takes one fault (of the 5 in the first failing plan):\n"
        "    lose the reply   api>provider POST /v1/payment_intents#1.reply\n"
        "  Reproduced 3/3.   See it:  paychaos explain runs/latest/failures/duplicate_charge-3f9c\n"
        "                    Replay:  paychaos replay runs/latest/failures/duplicate_charge-3f9c.json\n"
        "\n"
        "✗ finalised_twice · duplicate_callback\n"
        "  Order o-1 was finalised twice.\n"
        "  Seen in 1 run, first in run duplicate_callback-3.\n"
        "  It takes one fault and one ordering constraint (of the 5 faults in the first failing plan):\n"
        "    duplicate   provider>api payment_intent.succeeded#1\n"
        "    order       provider>api payment_intent.succeeded#1 before api>postgres COMMIT#1\n"
        "  Reproduced 3/3.   See it:  paychaos explain runs/latest/failures/finalised_twice-01aa\n"
        "                    Replay:  paychaos replay runs/latest/failures/finalised_twice-01aa.json\n"
        "\n"
        "Held, and how often each was put to the test: settles 1,204.\n"
        "Faults: 1 of 2 boundaries hit. Planned, but never hit:\n"
        "    lost_reply  crash  api>postgres COMMIT#1\n"
        "Not exercised: never_stale. Report: runs/latest/report.txt\n"
        "Verdict: do not ship. 2 of 4 invariants violated (exit 1).\n"
        "Replay the worst:  paychaos replay runs/latest/failures/duplicate_charge-3f9c.json\n"
    )


def test_the_report_of_a_clean_campaign_says_how_often_it_was_put_to_the_test() -> None:
    assert render_report(CLEAN) == (
        "paychaos 0.1 · seed 20261121 · checkout:reference · 1 scenario · simulated world, "
        "PostgreSQL 18.4 (embedded), 2 workers\n"
        "\n"
        " lost_reply  ✓  400 runs, all invariants exercised\n"
        "\n"
        "No violation of 1 invariant in 400 runs (38 s).\n"
        "\n"
        "Held, and how often each was put to the test: duplicate_charge 400.\n"
        "Faults: 1 of 1 boundary hit.\n"
        "Not exercised: nothing. Report: runs/latest/report.txt\n"
        "Verdict: nothing found. 1 invariant held in 400 runs (exit 0).\n"
    )


def test_a_failure_is_printed_once_per_invariant_and_signature() -> None:
    elsewhere = replace(DUPLICATE_CHARGE, scenario="late_callback", runs=4, faults=(LOST_REPLY, LOST_REPLY))
    [failure] = distinct((elsewhere, DUPLICATE_CHARGE))
    assert failure == replace(DUPLICATE_CHARGE, scenario="late_callback, lost_reply", runs=35)
    other_cause = replace(elsewhere, signature="duplicate_charge by crash")
    assert len(distinct((other_cause, DUPLICATE_CHARGE))) == 2


def test_the_worst_failure_comes_first_and_flaky_ones_last() -> None:
    flaky = replace(DUPLICATE_CHARGE, signature="flaky", reproduced=2, severity=99)
    often = replace(FINALISED_TWICE, signature="often", runs=50)
    failures = distinct((flaky, FINALISED_TWICE, often, DUPLICATE_CHARGE))
    assert failures == [DUPLICATE_CHARGE, often, FINALISED_TWICE, flaky]


def test_a_scenario_lists_every_invariant_it_violated_and_its_troubles() -> None:
    troubled = scenario(
        "lost_reply",
        ("duplicate_charge", 369, 31, 0),
        ("settles", 397, 3, 0),
        errors=1,
        inconclusive=2,
        note="step limit",
    )
    idle = scenario("flat", ("settles", 0, 0, 400))
    text = render_report(replace(CAMPAIGN, scenarios=(troubled, idle), failures=(DUPLICATE_CHARGE,)))
    assert text.splitlines()[2:6] == [
        " lost_reply  ✗  duplicate_charge  run lost_reply-14  1 fault",
        "             ✗  settles           3 runs             not shrunk here",
        "             !  400 runs, 1 error, 2 inconclusive: step limit",
        " flat        -  400 runs, no invariant exercised",
    ]


def test_a_flaky_failure_shows_the_first_event_that_differed() -> None:
    flaky = replace(DUPLICATE_CHARGE, reproduced=1, first_difference="0.212 api sent\nCOMMIT#2 / COMMIT#3")
    assert failure_lines(flaky)[-3:] == [
        "  Reproduced 1/3.   See it:  paychaos explain runs/latest/failures/duplicate_charge-3f9c",
        "                    Replay:  paychaos replay runs/latest/failures/duplicate_charge-3f9c.json",
        "  The first event that differed: 0.212 api sent\\nCOMMIT#2 / COMMIT#3",
    ]


@pytest.mark.parametrize(
    ("faults", "constraints", "first_plan", "said"),
    [
        (0, 0, 0, "  It takes no fault and no particular order."),
        (1, 0, 1, "  It takes one fault:"),
        (2, 0, 2, "  It takes two faults:"),
        (0, 2, 3, "  It takes two ordering constraints (of the 3 faults in the first failing plan):"),
        (12, 1, 12, "  It takes 12 faults and one ordering constraint:"),
    ],
)
def test_the_plan_is_counted_in_words(faults: int, constraints: int, first_plan: int, said: str) -> None:
    plan = replace(
        DUPLICATE_CHARGE,
        faults=(LOST_REPLY,) * faults,
        constraints=("a before b",) * constraints,
        first_plan_faults=first_plan,
    )
    first, *others = plan_lines(plan)
    assert first == said
    assert len(others) == faults + constraints


def test_many_boundaries_that_were_never_hit_are_cut_to_ten() -> None:
    missed = tuple(
        CoverageRecord("s", "crash", f"api>postgres COMMIT#{number}", 1, 0) for number in range(13)
    )
    lines = render_report(replace(CLEAN, coverage=missed)).splitlines()
    assert lines[7] == "Faults: 0 of 13 boundaries hit. Planned, but never hit:"
    assert lines[17:19] == ["    s  crash  api>postgres COMMIT#9", "    … and 3 more: see coverage.parquet"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Verdict: nothing found. 1 invariant held in 400 runs (exit 0)."),
        (
            {"scenarios": (scenario("s", ("a", 9, 0, 0), ("b", 0, 0, 9), runs=9),)},
            "Verdict: nothing found. 1 of 2 invariants held in 9 runs, the others were idle (exit 0).",
        ),
        (
            {"interrupted": True, "failures": (DUPLICATE_CHARGE,)},
            "Verdict: do not ship. Interrupted after 400 runs, 1 of 1 invariant violated by then (exit 130).",
        ),
        (
            {"interrupted": True},
            "Verdict: none. Interrupted after 400 runs, 0 of 1 invariant violated by then (exit 130).",
        ),
        ({"failures": (DUPLICATE_CHARGE,)}, "Verdict: do not ship. 1 of 1 invariant violated (exit 1)."),
        (
            {"failures": (DUPLICATE_CHARGE,), "problems": ("canary passed.",)},
            "Verdict: do not ship. 1 of 1 invariant violated (exit 1).",
        ),
        (
            {"problems": ("The canary build passed: the harness cannot see what it must.",)},
            "Verdict: none. The canary build passed: the harness cannot see what it must (exit 3).",
        ),
        (
            {"scenarios": (scenario("s", ("a", 9, 0, 0), errors=3),)},
            "Verdict: none. 3 of 400 runs ended in an error (exit 3).",
        ),
        (
            {
                "scenarios": (scenario("s", ("a", 9, 1, 0)),),
                "failures": (replace(DUPLICATE_CHARGE, reproduced=2),),
            },
            "Verdict: none. 1 violation seen, but not reproduced (exit 5).",
        ),
        (
            {"scenarios": (scenario("s", ("a", 9, 1, 0)),)},
            "Verdict: none. 1 violation seen, but not reproduced (exit 5).",
        ),
        (
            {"scenarios": (scenario("s", ("a", 9, 0, 0), inconclusive=1),)},
            "Verdict: none. 1 of 400 runs came to no conclusion (exit 3).",
        ),
        (
            {"scenarios": (scenario("s", ("a", 0, 0, 9)),)},
            "Verdict: none. 400 runs put no invariant to the test (exit 4).",
        ),
        ({"scenarios": ()}, "Verdict: none. 0 runs put no invariant to the test (exit 4)."),
    ],
)
def test_the_verdict_and_exit_code_follow_from_the_facts(changes: dict[str, object], said: str) -> None:
    assert str(conclude(replace(CLEAN, **changes))) == said  # type: ignore[arg-type]


def test_problems_of_the_campaign_are_printed() -> None:
    text = render_report(replace(CLEAN, problems=("The canary build passed.",)))
    assert "problem: The canary build passed.\nVerdict: none. The canary build passed (exit 3).\n" in text
