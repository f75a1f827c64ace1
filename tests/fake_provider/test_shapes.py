"""Every modelled object has the shape of the SDK's own typed class, in every state that it can be brought into."""

from typing import Any

import pytest
import stripe

from fake_provider import Behaviour
from tests.fake_provider.desk import DAY_US, Desk, event
from tests.fake_provider.shapes import problems

CLASSES: dict[str, Any] = {
    "balance": stripe.Balance,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "payout": stripe.Payout,
    "refund": stripe.Refund,
    "webhook_endpoint": stripe.WebhookEndpoint,
}


LISTS = (
    "payment_intents",
    "charges",
    "refunds",
    "customers",
    "payment_methods",
    "balance_transactions",
    "payouts",
    "disputes",
    "checkout/sessions",
    "webhook_endpoints",
    "events",
)


def listed(desk: Desk) -> list[dict[str, Any]]:
    """Every object of every list, and the balance."""
    pages = [desk.get(f"/v1/{name}", limit=100).body["data"] for name in LISTS]
    return [desk.get("/v1/balance").body, *(item for page in pages for item in page)]


@pytest.fixture(scope="module")
def shown() -> list[dict[str, Any]]:
    """What a busy provider shows: every object of every list and every snapshot of every event."""
    line = {
        "price_data": {"currency": "eur", "unit_amount": 700, "product_data": {"name": "Tea"}},
        "quantity": 3,
    }
    desk = Desk(
        Behaviour("settle_later", "POST /v1/payment_intents", "slow"),
        Behaviour("refund_pending", "POST /v1/refunds", "pending"),
        Behaviour("refund_failed", "POST /v1/refunds", "failing"),
    )
    desk.post(
        "/v1/customers",
        email="a@example.com",
        payment_method="pm_card_visa",
        shipping={"name": "A", "address": {"line1": "1 Street"}},
        metadata={"crm": "7"},
    )
    desk.pay(
        customer="cus_1",
        payment_method="pm_1",
        metadata={"order_id": "o-1"},
        setup_future_usage="off_session",
    )
    desk.pay(payment_method="pm_card_chargeDeclined")
    desk.pay(payment_method="pm_card_radarBlock")
    desk.pay(payment_method="pm_card_threeDSecure2Required", return_url="https://shop.example")
    desk.pay(payment_method="pm_card_threeDSecure2Required")
    desk.control("authenticate", payment_intent="pi_5", outcome="failed")
    desk.pay(payment_method="pm_card_createDispute")
    desk.pay(metadata={"order_id": "slow"})
    desk.pay(9000)
    desk.post(
        "/v1/refunds", payment_intent="pi_8", amount=100, reason="duplicate", metadata={"why": "pending"}
    )
    desk.post("/v1/refunds", payment_intent="pi_8", amount=200, metadata={"why": "failing"})
    desk.hold()
    desk.post("/v1/payment_intents/pi_9/capture", amount_to_capture=1000)
    desk.hold()
    desk.post("/v1/payment_intents/pi_10/cancel", cancellation_reason="fraudulent")
    desk.hold()
    desk.post("/v1/charges", amount=700, currency="usd", source="tok_visa", description="bare")
    desk.post(
        "/v1/payment_intents", amount=100, currency="eur", automatic_payment_methods={"enabled": "true"}
    )
    for _ in range(3):
        desk.post(
            "/v1/checkout/sessions", mode="payment", success_url="https://shop.example", line_items=[line]
        )
    desk.control("pay", session="cs_test_1")
    desk.control("pay", session="cs_test_2", outcome="failed")
    desk.post("/v1/webhook_endpoints", url="http://shop.example/2", enabled_events=["*"])
    found = listed(desk)
    desk.wait(10 * DAY_US)
    desk.control("close_dispute", dispute="dp_1", outcome="won")
    desk.control("fail_payout", payout="po_1")
    desk.wait(DAY_US)
    found.extend(listed(desk))
    found.append(desk.post("/v1/webhook_endpoints", url="http://x/", enabled_events=["*"]).body)
    events = [event(delivery) for delivery in desk.deliveries]
    return found + events + [item["data"]["object"] for item in events]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_object_shown_fits_the_class_of_the_sdk(kind: str, shown: list[dict[str, Any]]) -> None:
    objects = [item for item in shown if item["object"] == kind]
    assert objects, f"no {kind} was shown"
    assert {problem for item in objects for problem in problems(item, CLASSES[kind])} == set()


def test_the_busy_provider_reached_every_state_that_is_modelled(shown: list[dict[str, Any]]) -> None:
    reached = {(item["object"], item.get("status")) for item in shown}
    wanted = {
        "payment_intent": (
            "requires_payment_method",
            "requires_confirmation",
            "requires_action",
            "processing",
            "requires_capture",
            "succeeded",
            "canceled",
        ),
        "charge": ("pending", "failed", "succeeded"),
        "refund": ("pending", "succeeded", "failed"),
        "payout": ("in_transit", "paid", "failed"),
        "dispute": ("needs_response", "won"),
        "checkout.session": ("open", "complete", "expired"),
        "balance_transaction": ("pending", "available"),
    }
    assert {(kind, status) for kind, statuses in wanted.items() for status in statuses} <= reached


def test_nested_objects_fit_when_they_are_expanded() -> None:
    desk = Desk()
    desk.post("/v1/customers", email="a@example.com", payment_method="pm_card_visa")
    intent = desk.hold(
        customer="cus_1",
        payment_method="pm_1",
        expand=["customer", "payment_method", "latest_charge.refunds", "latest_charge.balance_transaction"],
    ).body
    assert (intent["customer"]["id"], intent["payment_method"]["id"], intent["latest_charge"]["object"]) == (
        "cus_1",
        "pm_1",
        "charge",
    )
    assert problems(intent, stripe.PaymentIntent) == []


def test_the_check_itself_sees_wrong_types_missing_members_and_unknown_words() -> None:
    intent = Desk().pay(expand=["latest_charge"]).body
    charge = {name: value for name, value in intent["latest_charge"].items() if name != "captured"}
    assert problems(
        {**intent, "amount": "4200", "object": "intent", "latest_charge": {**charge, "paid": 1}},
        stripe.PaymentIntent,
    ) == [
        "amount is '4200', not an integer",
        "latest_charge.captured is missing",
        "latest_charge.paid is 1, not a bool",
        "object is 'intent', not one of ('payment_intent',)",
    ]
