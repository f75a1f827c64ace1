"""Money: the ledger balances, the balance is the sum of its transactions, and time moves it on."""

from typing import Any

from fake_provider import Behaviour, Profile
from tests.fake_provider.desk import DAY_US, Desk, types


def assert_books_balance(desk: Desk) -> None:
    """The invariants of double entry, recomputed from the export and the API alone."""
    sums: dict[tuple[str, str], int] = {}
    for row in desk.provider.export():
        assert sum(amount for _, amount in row["postings"]) == 0, row
        for account, amount in row["postings"]:
            sums[account, row["currency"]] = sums.get((account, row["currency"]), 0) + amount
    transactions = list(desk.provider.account.transactions.values())
    for currency in {transaction["currency"] for transaction in transactions}:
        net = sum(t["net"] for t in transactions if t["currency"] == currency)
        assert net == sums.get(("balance", currency), 0)
        shown = desk.get("/v1/balance").body
        assert net == sum(
            row["amount"]
            for part in ("available", "pending")
            for row in shown[part]
            if row["currency"] == currency
        )
    sources = [t["source"] for t in transactions if t["type"] in ("charge", "refund")]
    assert len(sources) == len(set(sources)), "a charge or refund has more than one transaction"


def test_a_payment_has_one_charge_one_transaction_and_a_fee() -> None:
    desk = Desk()
    intent = desk.pay(4200, metadata={"order_id": "o-1"}, expand=["latest_charge.balance_transaction"]).body
    charge = intent["latest_charge"]
    transaction = charge["balance_transaction"]
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 4200)
    assert (charge["captured"], charge["paid"], charge["amount_captured"]) == (True, True, 4200)
    assert (transaction["amount"], transaction["fee"], transaction["net"]) == (4200, 152, 4048)
    assert (transaction["status"], transaction["source"], transaction["type"]) == (
        "pending",
        "ch_1",
        "charge",
    )
    [row] = desk.rows()
    assert row == {
        "at_us": desk.now_us,
        "kind": "charge",
        "id": "ch_1",
        "payment_intent": "pi_1",
        "charge": "ch_1",
        "amount": 4200,
        "currency": "eur",
        "status": "succeeded",
        "fee": 152,
        "net": 4048,
        "balance_transaction": "txn_1",
        "customer": None,
        "idempotency_key": None,
        "request": "req_1",
        "metadata": {"order_id": "o-1"},
        "postings": [["cardholder", -4200], ["balance", 4048], ["fees", 152]],
    }
    assert_books_balance(desk)


def test_a_partial_capture_gives_the_rest_back() -> None:
    desk = Desk()
    held = desk.hold(1000, expand=["latest_charge"]).body
    assert (held["status"], held["amount_capturable"], held["amount_received"]) == (
        "requires_capture",
        1000,
        0,
    )
    charge = held["latest_charge"]
    assert (charge["status"], charge["captured"], charge["balance_transaction"]) == ("succeeded", False, None)
    captured = desk.post(
        "/v1/payment_intents/pi_1/capture", amount_to_capture=800, expand=["latest_charge"]
    ).body
    charge = captured["latest_charge"]
    assert (captured["status"], captured["amount_received"], captured["amount_capturable"]) == (
        "succeeded",
        800,
        0,
    )
    assert (charge["amount"], charge["amount_captured"], charge["amount_refunded"]) == (1000, 800, 200)
    assert [(row["kind"], row["amount"]) for row in desk.rows()] == [
        ("authorize", 1000),
        ("capture", 800),
        ("release", 200),
    ]
    assert_books_balance(desk)


def test_more_than_the_hold_cannot_be_captured_and_nothing_twice() -> None:
    desk = Desk()
    desk.hold(1000)
    more = desk.post("/v1/payment_intents/pi_1/capture", amount_to_capture=1001)
    assert (more.status, more.error["code"]) == (400, "amount_too_large")
    desk.post("/v1/payment_intents/pi_1/capture")
    again = desk.post("/v1/payment_intents/pi_1/capture")
    assert (
        again.error["message"]
        == "This PaymentIntent could not be captured because it has already been captured."
    )
    assert again.error["payment_intent"]["id"] == "pi_1"
    assert desk.post("/v1/charges/ch_1/capture").error["code"] == "charge_already_captured"


def test_refunds_never_exceed_the_charge() -> None:
    desk = Desk()
    desk.pay(1000)
    first = desk.post("/v1/refunds", payment_intent="pi_1", amount=300).body
    assert (first["status"], first["charge"], first["payment_intent"]) == ("succeeded", "ch_1", "pi_1")
    more = desk.post("/v1/refunds", charge="ch_1", amount=701)
    assert more.error["message"] == (
        "Refund amount (7.01 eur) is greater than unrefunded amount on charge (7.00 eur)"
    )
    assert desk.post("/v1/refunds", charge="ch_1").body["amount"] == 700
    done = desk.post("/v1/refunds", charge="ch_1")
    assert done.error["code"] == "charge_already_refunded"
    charge = desk.get("/v1/charges/ch_1", expand=["refunds"]).body
    assert (charge["refunded"], charge["amount_refunded"]) == (True, 1000)
    assert [refund["amount"] for refund in charge["refunds"]["data"]] == [700, 300]
    assert_books_balance(desk)


def test_a_pending_refund_succeeds_and_a_failing_one_brings_the_money_back() -> None:
    desk = Desk()
    desk.pay(1000, payment_method="pm_card_pendingRefund")
    desk.pay(1000, payment_method="pm_card_refundFail")
    pending, failing = (desk.post("/v1/refunds", payment_intent=name).body for name in ("pi_1", "pi_2"))
    assert (pending["status"], pending["pending_reason"], failing["status"]) == (
        "pending",
        "processing",
        "succeeded",
    )
    desk.wait(desk.provider.profile.settles_us)
    sent = types(desk.wait(DAY_US // 24))
    assert {"refund.updated", "refund.failed"} <= set(sent)
    assert desk.get("/v1/refunds/re_1").body["status"] == "succeeded"
    failed = desk.get("/v1/refunds/re_2", expand=["failure_balance_transaction"]).body
    assert failed["status"] == "failed"
    assert failed["failure_balance_transaction"]["net"] == 1000
    assert desk.get("/v1/charges/ch_2").body["amount_refunded"] == 0
    assert_books_balance(desk)


def test_an_authorisation_expires_after_seven_days_as_in_the_documented_payload() -> None:
    desk = Desk()
    held = desk.hold(5000, expand=["latest_charge"]).body
    created = held["created"]
    assert held["latest_charge"]["payment_method_details"]["card"]["capture_before"] == created + 604_800
    desk.wait(desk.provider.profile.webhook_delay_us)
    assert desk.get("/v1/payment_intents/pi_1").body["status"] == "requires_capture"
    sent = desk.wait(7 * DAY_US + 2_000_000)
    intent = desk.get("/v1/payment_intents/pi_1", expand=["latest_charge.refunds"]).body
    charge = intent["latest_charge"]
    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", "automatic")
    assert intent["canceled_at"] == created + 604_801
    assert (charge["captured"], charge["refunded"], charge["amount_refunded"]) == (False, True, 5000)
    assert charge["balance_transaction"] is None
    [refund] = charge["refunds"]["data"]
    assert (refund["status"], refund["reason"]) == ("succeeded", "expired_uncaptured_charge")
    assert types(sent)[-3:] == ["refund.created", "charge.expired", "payment_intent.canceled"]
    late = desk.post("/v1/payment_intents/pi_1/capture")
    assert late.error["code"] == "payment_intent_unexpected_state"
    assert desk.post("/v1/charges/ch_1/capture").error["code"] == "charge_expired_for_capture"
    assert_books_balance(desk)


def test_visa_gives_the_merchant_less_time_than_the_customer() -> None:
    desk = Desk()
    visa = desk.hold(off_session="true", expand=["latest_charge"]).body
    other = desk.hold(off_session="true", payment_method="pm_card_mastercard", expand=["latest_charge"]).body
    windows = [
        intent["latest_charge"]["payment_method_details"]["card"]["capture_before"] - intent["created"]
        for intent in (visa, other)
    ]
    assert windows == [(4 * 24 + 18) * 3600, 7 * 86_400]


def test_canceling_releases_the_hold() -> None:
    desk = Desk()
    desk.hold(1000)
    canceled = desk.post("/v1/payment_intents/pi_1/cancel", cancellation_reason="abandoned").body
    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    assert desk.provider.account.ledger.balance("held", "eur") == 0
    assert "charge.refunded" in types(desk.wait(DAY_US))
    assert desk.wait(8 * DAY_US) == [], "the hold must not expire after it was released"
    assert_books_balance(desk)


def test_an_automatic_payout_is_the_sum_of_its_parts() -> None:
    desk = Desk(profile=Profile.stripe_v1(webhook_retries_us=()))
    desk.pay(1000)
    desk.pay(3000)
    desk.post("/v1/refunds", payment_intent="pi_2", amount=500)
    sent = types(desk.wait(4 * DAY_US))
    for wanted in ("balance.available", "payout.created", "payout.paid", "payout.reconciliation_completed"):
        assert wanted in sent
    [payout] = desk.get("/v1/payouts").body["data"]
    assert (payout["status"], payout["reconciliation_status"]) == ("paid", "completed")
    listed = desk.get("/v1/balance_transactions", payout=payout["id"]).body["data"]
    parts = [item for item in listed if item["type"] != "payout"]
    [own] = [item for item in listed if item["type"] == "payout"]
    assert payout["amount"] == sum(part["net"] for part in parts) == -own["net"]
    assert {part["source"] for part in parts} == {"ch_1", "ch_2", "re_1"}
    assert desk.get("/v1/balance").body["available"][0]["amount"] == 0
    assert_books_balance(desk)


def test_a_payout_that_was_shown_as_paid_can_fail() -> None:
    desk = Desk()
    desk.pay(1000)
    desk.wait(4 * DAY_US)
    failed = desk.control("fail_payout", payout="po_1")
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    assert "payout.failed" in types(desk.wait(DAY_US))
    assert_books_balance(desk)


def test_a_manual_payout_needs_available_money_and_can_be_canceled() -> None:
    desk = Desk(profile=Profile.stripe_v1(payout_automatic=False))
    desk.pay(1000, payment_method="pm_card_bypassPending")
    refused = desk.post("/v1/payouts", amount=5000, currency="eur")
    assert refused.error["code"] == "balance_insufficient"
    payout = desk.post("/v1/payouts", amount=500, currency="eur").body
    assert (payout["automatic"], payout["status"]) == (False, "pending")
    assert desk.post(f"/v1/payouts/{payout['id']}/cancel").body["status"] == "canceled"
    assert_books_balance(desk)


def test_a_dispute_takes_the_money_and_winning_it_brings_it_back() -> None:
    desk = Desk()
    desk.pay(1000, payment_method="pm_card_createDispute")
    assert "charge.dispute.created" in types(desk.wait(DAY_US))
    charge = desk.get("/v1/charges/ch_1", expand=["dispute"]).body
    dispute = charge["dispute"]
    assert (charge["disputed"], dispute["status"], dispute["amount"]) == (True, "needs_response", 1000)
    assert [t["net"] for t in dispute["balance_transactions"]] == [-2500]
    assert desk.post("/v1/refunds", charge="ch_1").error["code"] == "charge_disputed"
    won = desk.control("close_dispute", dispute=dispute["id"], outcome="won")
    assert [t["net"] for t in won["balance_transactions"]] == [-2500, 1000]
    assert_books_balance(desk)


def test_every_row_of_the_export_is_plain_json_and_named_after_what_happened() -> None:
    desk = Desk(Behaviour("refund_failed", "POST /v1/refunds"))
    desk.hold()
    desk.post("/v1/payment_intents/pi_1/cancel")
    desk.pay()
    desk.pay(payment_method="pm_card_chargeDeclined")
    desk.post("/v1/refunds", payment_intent="pi_2")
    desk.wait(DAY_US)
    kinds: list[Any] = [row["kind"] for row in desk.rows()]
    assert kinds == ["authorize", "release", "charge", "decline", "refund", "refund_failed"]
    assert_books_balance(desk)
