"""A timeline, the history of rows and the two books print as aligned tables that keep to their width."""

import pytest

from results.ledger import Ledger, LedgerLine, render_ledger
from results.rows import RowChange, describe, render_rows
from results.text import cells
from results.timeline import Entry, render_timeline

POLLS = tuple(
    Entry(300_000 + i * 200_000, "worker", "LPOP", "redis", fold="the worker's poll") for i in range(12)
)

TIMELINE = (
    Entry(0, "customer-1", "POST /checkout o-1, key k-1", "api"),
    Entry(4_000, "api", "INSERT orders, COMMIT", "postgres"),
    Entry(6_000, "api", "POST /v1/payment_intents 4200 EUR, key 7b1", "provider"),
    Entry(212_000, "provider", "charge ch_1 succeeded 42.00 EUR"),
    Entry(212_999, "provider", "reply lost", "api", "fault"),
    *POLLS,
    Entry(3_206_000, "api", "POST /v1/payment_intents 4200 EUR, key c04", "provider", note="another key"),
    Entry(3_220_000, "provider", "payment_intent.succeeded#1 waits", "api", "held"),
    Entry(13_230_000, "provider", "charge ch_2 succeeded 42.00 EUR"),
    Entry(None, "duplicate_charge", "o-1 has 2 successful charges", mark="violation"),
)


def test_a_timeline_marks_faults_holds_and_the_violation_and_folds_the_rest() -> None:
    assert render_timeline(TIMELINE) == (
        " time s  who                    what\n"
        "  0.000  customer-1 → api       POST /checkout o-1, key k-1\n"
        "  0.004  api → postgres         INSERT orders, COMMIT\n"
        "  0.006  api → provider         POST /v1/payment_intents 4200 EUR, key 7b1\n"
        "  0.212  provider               charge ch_1 succeeded 42.00 EUR\n"
        "  0.212  provider → api      ⚡ reply lost\n"
        "  0.300                         … 12 messages of the worker's poll\n"
        "  3.206  api → provider         POST /v1/payment_intents 4200 EUR, key c04     ← another key\n"
        "  3.220  provider → api      ‖  payment_intent.succeeded#1 waits\n"
        " 13.230  provider               charge ch_2 succeeded 42.00 EUR\n"
        "         ✗ duplicate_charge     o-1 has 2 successful charges\n"
    )


def test_a_narrow_timeline_goes_on_below_itself_and_loses_no_word() -> None:
    text = render_timeline(TIMELINE[4:8] + TIMELINE[-4:-3], width=60)
    assert text == (
        " time s  who                what\n"
        "  0.212  provider → api  ⚡ reply lost\n"
        "  0.300                     … 3 messages of the worker's\n"
        "                            poll\n"
        "  3.206  api → provider     POST /v1/payment_intents 4200\n"
        "                            EUR, key c04     ← another key\n"
    )
    assert render_timeline(TIMELINE[-4:-3], width=50) == (
        " time s  who                what\n"
        "  3.206  api → provider     POST /v1/payment_intents\n"
        "                            4200 EUR, key c04\n"
        "                            ← another key\n"
    )
    assert max(cells(line) for line in text.splitlines()) <= 60


def test_fewer_entries_than_are_worth_folding_are_shown() -> None:
    text = render_timeline(POLLS[:2])
    assert text.count("LPOP") == 2
    assert "…" not in text


def test_folded_entries_are_counted_by_what_they_are_messages_of() -> None:
    others = (Entry(310_000, "api", "PING", "redis", fold="the health check"),)
    assert "… 2 messages of the worker's poll, 1 message of the health check" in render_timeline(
        POLLS[:2] + others
    )


def test_a_fault_is_never_folded() -> None:
    fault = Entry(310_000, "redis", "reply lost", "worker", "fault", fold="the worker's poll")
    text = render_timeline((*POLLS[:3], fault, *POLLS[3:6]))
    assert text.count("… 3 messages of the worker's poll") == 2
    assert "⚡ reply lost" in text


def test_an_empty_timeline_is_its_head() -> None:
    assert render_timeline(()) == " time s  who     what\n"


def test_wide_characters_keep_the_columns_aligned() -> None:
    lines = render_timeline(
        (Entry(0, "顧客", "買う", "api"), Entry(0, "customer", "buys", "api"))
    ).splitlines()
    assert lines[1:] == ["  0.000  顧客 → api         買う", "  0.000  customer → api     buys"]
    assert cells(lines[1]) == cells(lines[2])


def test_control_characters_of_the_data_cannot_reach_the_terminal() -> None:
    text = render_timeline((Entry(0, "api", "name is \x1b[31mred\nnext\u202e", note="\x07"),))
    assert text.splitlines()[1] == "  0.000  api     name is \\x1b[31mred\\nnext\\u202e     ← \\x07"


def test_a_word_longer_than_the_column_is_broken() -> None:
    text = render_timeline((Entry(0, "api", "k" * 150),), width=60)
    assert "".join(line.strip() for line in text.splitlines()[1:]) == "0.000  api     " + "k" * 150
    assert max(cells(line) for line in text.splitlines()) <= 60


CREATED = RowChange(
    4_000, "orders", "o-1", "insert", None, {"id": "o-1", "status": "pending", "paid_at": None}, "api"
)
PAID = RowChange(
    212_000,
    "orders",
    "o-1",
    "update",
    {"id": "o-1", "status": "pending", "amount": 4200},
    {"id": "o-1", "status": "paid", "amount": 4200},
    "worker",
)
GONE = RowChange(3_000_000, "stock_items", "7", "delete", {"id": 7, "left": 0}, None, "customer-1")


def test_the_history_of_rows_shows_only_the_columns_that_changed() -> None:
    assert render_rows((CREATED, PAID, GONE)) == (
        " 0.004  api         orders o-1     inserted: id = o-1, status = pending, paid_at = null\n"
        " 0.212  worker      orders o-1     status: pending → paid\n"
        " 3.000  customer-1  stock_items 7  deleted: id = 7, left = 0\n"
    )
    assert render_rows(()) == ""


def test_a_narrow_history_goes_on_below_itself() -> None:
    assert render_rows((CREATED,), width=60) == (
        " 0.004  api  orders o-1  inserted: id = o-1, status =\n"
        "                         pending, paid_at = null\n"
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": 1}, {"a": 1}, "updated, no column changed"),
        ({"a": None}, {"a": 0}, "a: null → 0"),
        ({"a": 1, "b": 2}, {"a": 3, "b": 4}, "a: 1 → 3, b: 2 → 4"),
        ({}, {"a": None}, "a: null → null"),
        ({"note": "x" * 50}, {"note": "\n"}, f"note: {'x' * 39}… → \\n"),
    ],
)
def test_an_update_is_described_by_its_differences(
    before: dict[str, object], after: dict[str, object], said: str
) -> None:
    assert describe(RowChange(0, "t", "k", "update", before, after, "api")) == said


def test_two_books_stand_side_by_side_with_their_differences_marked() -> None:
    ledger = Ledger(
        "provider",
        "orders",
        (
            LedgerLine("ch_1", "succeeded 42.00 EUR", "", agrees=False),
            LedgerLine("ch_2", "succeeded 42.00 EUR", "paid 42.00 EUR", agrees=True),
        ),
    )
    assert render_ledger(ledger) == (
        "          provider             orders\n"
        " ✗  ch_1  succeeded 42.00 EUR  -\n"
        "    ch_2  succeeded 42.00 EUR  paid 42.00 EUR\n"
    )
