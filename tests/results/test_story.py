"""The story of a failure reads from finding to replay line, and comes back from its file unchanged."""

import json
from dataclasses import replace

import pytest

from results.errors import ResultsError
from results.ledger import Ledger, LedgerLine
from results.rows import RowChange
from results.story import Removal, Story, render_story, story_from_json, story_to_json
from results.summary import FailureSummary, FaultLine
from results.timeline import Entry

FAILURE = FailureSummary(
    invariant="duplicate_charge",
    scenario="lost_reply",
    entity="order o-1",
    signature="duplicate_charge by lost_reply",
    sentence="Order o-1 was charged twice: 42.00 EUR (ch_1 at 0.212 s) and 42.00 EUR (ch_2 at 3.230 s).",
    faults=(FaultLine("lose the reply", "api>provider POST /v1/payment_intents#1.reply"),),
    constraints=(),
    first_plan_faults=5,
    runs=31,
    first_run="lost_reply-14",
    reproduced=3,
    attempts=3,
    explain="runs/latest/failures/duplicate_charge-3f9c",
    replay="runs/latest/failures/duplicate_charge-3f9c.json",
)
STORY = Story(
    failure=FAILURE,
    target="checkout",
    build="staging",
    timeline=(
        Entry(6_000, "api", "POST /v1/payment_intents 4200 EUR", "provider"),
        Entry(212_000, "provider", "reply lost", "api", "fault", note="applied"),
        Entry(None, "duplicate_charge", "o-1 has 2 successful charges", mark="violation"),
    ),
    rows=(
        RowChange(212_000, "orders", "o-1", "update", {"status": "pending"}, {"status": "paid"}, "worker"),
    ),
    ledger=Ledger("provider", "orders", (LedgerLine("ch_1", "42.00 EUR", "", agrees=False),)),
    nearest_passing=("api>provider POST /v1/payment_intents#1.reply is delivered",),
    removals=(Removal("lose the reply", "holds"),),
)


def test_a_story_is_told_from_the_finding_to_the_replay_line() -> None:
    assert render_story(STORY) == (
        "✗ duplicate_charge · lost_reply · checkout:staging\n"
        "  Order o-1 was charged twice: 42.00 EUR (ch_1 at 0.212 s) and 42.00 EUR (ch_2 at 3.230 s).\n"
        "  It takes one fault (of the 5 in the first failing plan):\n"
        "    lose the reply   api>provider POST /v1/payment_intents#1.reply\n"
        "\n"
        " time s  who                    what\n"
        "  0.006  api → provider         POST /v1/payment_intents 4200 EUR\n"
        "  0.212  provider → api      ⚡ reply lost     ← applied\n"
        "         ✗ duplicate_charge     o-1 has 2 successful charges\n"
        "\n"
        "order o-1, as its rows changed:\n"
        " 0.212  worker  orders o-1  status: pending → paid\n"
        "\n"
        "          provider   orders\n"
        " ✗  ch_1  42.00 EUR  -\n"
        "\n"
        "The nearest passing run differs in:\n"
        "  api>provider POST /v1/payment_intents#1.reply is delivered\n"
        "\n"
        "Without one part of the plan:\n"
        "  lose the reply   holds\n"
        "\n"
        "Reproduced 3/3.\n"
        "Replay:  paychaos replay runs/latest/failures/duplicate_charge-3f9c.json\n"
    )


def test_a_story_without_its_optional_parts_has_no_empty_titles() -> None:
    bare = Story(FAILURE, "checkout", "staging", STORY.timeline)
    assert [line for line in render_story(bare).splitlines() if line.endswith(":")] == [
        "  It takes one fault (of the 5 in the first failing plan):"
    ]


def test_a_story_comes_back_from_its_file_unchanged() -> None:
    text = story_to_json(STORY)
    assert story_from_json(text, "x.story.json") == STORY
    assert story_to_json(story_from_json(text, "x.story.json")) == text
    bare = replace(STORY, ledger=None, rows=(), nearest_passing=(), removals=())
    assert story_from_json(story_to_json(bare), "x.story.json") == bare


def test_values_that_json_does_not_know_are_kept_as_text() -> None:
    change = replace(STORY.rows[0], after={"status": {1}})
    read = story_from_json(story_to_json(replace(STORY, rows=(change,))), "x.story.json")
    assert read.rows[0].after == {"status": "{1}"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{",
            "x.story.json is not the story of a failure (Expecting property name enclosed in double quotes",
        ),
        ("{}", "x.story.json is not the story of a failure ('format'). Make it again: paychaos replay."),
        (
            '{"format": 3}',
            "x.story.json was written in format 3; this version reads up to 1. Upgrade paychaos, or make it again: ",
        ),
        ('{"format": 1}', "x.story.json is damaged ('ledger'). Make it again: paychaos replay."),
        (
            json.dumps({**json.loads(story_to_json(STORY)), "timeline": [{"at": 1}]}),
            "x.story.json is damaged (Entry.__init__() got an unexpected keyword argument 'at'). Make it again: ",
        ),
    ],
)
def test_a_damaged_or_newer_story_is_refused(text: str, said: str) -> None:
    with pytest.raises(ResultsError) as caught:
        story_from_json(text, "x.story.json")
    assert str(caught.value).startswith(said)


def test_rows_that_an_invariant_gave_no_entity_for_belong_to_nobody() -> None:
    story = replace(STORY, failure=replace(FAILURE, entity=""))
    assert "\nThe rows, as they changed:\n" in render_story(story)
