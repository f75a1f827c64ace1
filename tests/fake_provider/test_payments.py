"""Payment intents and what surrounds them: states, cards, declines, parameters, lists, expansion."""

import pytest

from fake_provider import Behaviour, Profile
from tests.fake_provider.desk import DAY_US, SECOND_US, Desk, types

DECLINES = {
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline", "Your card was declined."),
    "pm_card_chargeDeclined": ("card_declined", "generic_decline", "Your card was declined."),
    "pm_card_visa_chargeDeclinedInsufficientFunds": (
        "card_declined",
        "insufficient_funds",
        "Your card has insufficient funds.",
    ),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card", "Your card was declined."),
    "pm_card_visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card", "Your card was declined."),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None, "Your card has expired."),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", None, "Your card's security code is incorrect."),
    "pm_card_chargeDeclinedProcessingError": (
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": (
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    "pm_card_chargeCustomerFail": ("card_declined", "generic_decline", "Your card was declined."),
    "pm_card_radarBlock": ("card_declined", "fraudulent", "Your card was declined."),
}


@pytest.mark.parametrize("method", DECLINES)
def test_a_declining_card_answers_402_with_the_whole_intent(method: str) -> None:
    desk = Desk()
    answer = desk.pay(payment_method=method)
    code, decline_code, message = DECLINES[method]
    assert (answer.status, answer.error["type"]) == (402, "card_error")
    assert (answer.error["code"], answer.error.get("decline_code"), answer.error["message"]) == (
        code,
        decline_code,
        message,
    )
    intent = answer.error["payment_intent"]
    assert (intent["status"], intent["payment_method"], intent["latest_charge"]) == (
        "requires_payment_method",
        None,
        "ch_1",
    )
    assert intent["last_payment_error"]["code"] == code
    charge = desk.get("/v1/charges/ch_1").body
    assert (charge["status"], charge["paid"], charge["failure_code"]) == ("failed", False, code)
    assert types(desk.wait(DAY_US // 24))[:3] == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
    assert desk.provider.account.ledger.accounts() == {}


def test_a_declined_intent_can_be_paid_with_another_card() -> None:
    desk = Desk()
    desk.pay(payment_method="pm_card_chargeDeclined")
    paid = desk.post("/v1/payment_intents/pi_1/confirm", payment_method="pm_card_visa").body
    assert (paid["status"], paid["latest_charge"], paid["last_payment_error"]) == ("succeeded", "ch_2", None)
    again = desk.post("/v1/payment_intents/pi_1/confirm", payment_method="pm_card_visa")
    assert again.error["message"] == (
        "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
    )


def test_an_intent_passes_through_its_states() -> None:
    desk = Desk()
    intent = desk.post("/v1/payment_intents", amount=1000, currency="EUR").body
    assert (intent["status"], intent["currency"]) == ("requires_payment_method", "eur")
    missing = desk.post("/v1/payment_intents/pi_1/confirm")
    assert missing.error["message"].startswith(
        "You cannot confirm this PaymentIntent because it's missing a payment method."
    )
    intent = desk.post("/v1/payment_intents/pi_1", payment_method="pm_card_visa", amount=1200).body
    assert (intent["status"], intent["amount"]) == ("requires_confirmation", 1200)
    assert desk.post("/v1/payment_intents/pi_1/confirm").body["amount_received"] == 1200
    late = desk.post("/v1/payment_intents/pi_1", amount=1300)
    assert late.error["message"] == (
        "This PaymentIntent's amount could not be updated because it has a status of succeeded. You may only update "
        "the "
        "amount of a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, "
        "requires_action."
    )
    assert desk.post("/v1/payment_intents/pi_1", description="paid").body["description"] == "paid"


def test_three_d_secure_asks_the_customer_first() -> None:
    desk = Desk()
    intent = desk.pay(
        payment_method="pm_card_threeDSecure2Required", return_url="https://shop.example/back"
    ).body
    assert intent["status"] == "requires_action"
    assert intent["next_action"]["redirect_to_url"]["return_url"] == "https://shop.example/back"
    assert desk.rows() == []
    assert desk.control("authenticate", payment_intent="pi_1")["status"] == "succeeded"
    failed = desk.pay(payment_method="pm_card_authenticationRequired").body
    assert failed["next_action"]["type"] == "use_stripe_sdk"
    after = desk.control("authenticate", payment_intent="pi_2", outcome="failed")
    assert (after["status"], after["last_payment_error"]["code"]) == (
        "requires_payment_method",
        "payment_intent_authentication_failure",
    )


def test_off_session_cannot_ask_the_customer_and_is_declined() -> None:
    answer = Desk().pay(payment_method="pm_card_authenticationRequired", off_session="true")
    assert (answer.error["code"], answer.error["decline_code"]) == (
        "authentication_required",
        "authentication_required",
    )


def test_manual_confirmation_confirms_again_after_authentication() -> None:
    desk = Desk()
    desk.pay(payment_method="pm_card_threeDSecure2Required", confirmation_method="manual")
    assert desk.control("authenticate", payment_intent="pi_1")["status"] == "requires_confirmation"
    assert desk.post("/v1/payment_intents/pi_1/confirm").body["status"] == "succeeded"


def test_a_payment_that_settles_later_is_processing_first() -> None:
    later = Behaviour("settle_later", "POST /v1/payment_intents", parameters={"delay_us": 5 * SECOND_US})
    failing = Behaviour(
        "settle_later", "POST /v1/payment_intents", attempt=2, parameters={"outcome": "failed"}
    )
    desk = Desk(later, failing)
    assert desk.pay().body["status"] == desk.pay().body["status"] == "processing"
    assert desk.rows() == []
    refused = desk.post("/v1/payment_intents/pi_1/cancel")
    assert "because it has a status of processing" in refused.error["message"]
    desk.wait(60 * SECOND_US)
    assert [desk.get(f"/v1/payment_intents/pi_{n}").body["status"] for n in (1, 2)] == [
        "succeeded",
        "requires_payment_method",
    ]


def test_unknown_parameters_are_echoed_and_those_of_the_provider_ignored() -> None:
    intent = (
        Desk()
        .pay(
            statement_descriptor_suffix="o-1",
            brand_new={"deep": ["a"]},
            id="mine",
            amount_received=1,
            client_secret="mine",
            self="me",
        )
        .body
    )
    assert (intent["brand_new"], intent["self"], intent["statement_descriptor_suffix"]) == (
        {"deep": ["a"]},
        "me",
        "o-1",
    )
    assert (intent["id"], intent["amount_received"]) == ("pi_1", 4200)
    assert intent["client_secret"].startswith("pi_1_secret_")


def test_metadata_merges_and_an_empty_value_removes_a_key() -> None:
    desk = Desk()
    desk.pay(metadata={"a": "1", "b": "2", "7": "digits"})
    merged = desk.post("/v1/payment_intents/pi_1", metadata={"b": "", "c": "3"}).body["metadata"]
    assert merged == {"a": "1", "7": "digits", "c": "3"}


@pytest.mark.parametrize(
    ("params", "status", "param", "message"),
    [
        ({"amount": "x"}, 400, "amount", "Invalid integer: x"),
        ({"amount": "-5"}, 400, "amount", "Amount must be at least 0.50 eur"),
        ({"amount": "49"}, 400, "amount", "Amount must be at least 0.50 eur"),
        ({"amount": "100000000"}, 400, "amount", "Amount must be no more than 999,999.99 eur"),
        ({"amount": "9" * 400}, 400, "amount", "Invalid integer: " + "9" * 40),
        ({"amount": {"a": "1"}}, 400, "amount", "Invalid integer: dict"),
        ({"currency": "euro"}, 400, "currency", "Invalid currency: euro."),
        ({"confirm": "maybe"}, 400, "confirm", "Invalid boolean: maybe"),
        (
            {"capture_method": "later"},
            400,
            "capture_method",
            "Invalid capture_method: must be one of automatic, automatic_async or manual",
        ),
        ({"metadata": "flat"}, 400, "metadata", "Invalid object"),
        ({"customer": "cus_9"}, 400, "customer", "No such customer: 'cus_9'"),
        ({"payment_method": "pm_9"}, 400, "payment_method", "No such PaymentMethod: 'pm_9'"),
        ({"payment_method": ["pm_card_visa"]}, 400, "payment_method", "Invalid string: ['pm_card_visa']"),
        ({"expand": "latest_charge"}, 400, "expand", "Invalid array: expand must be a list of paths."),
        (
            {"metadata": {"k": "v" * 501}},
            400,
            "metadata[k]",
            "Metadata values can have up to 500 characters, but you passed in a value that is 501 characters.",
        ),
    ],
)
def test_a_wrong_parameter_is_named_and_explained(
    params: dict[str, object], status: int, param: str, message: str
) -> None:
    desk = Desk()
    answer = desk.post(
        "/v1/payment_intents",
        **{"amount": 4200, "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true", **params},
    )
    assert (answer.status, answer.error["param"], answer.error["message"]) == (status, param, message)
    assert answer.error["type"] == "invalid_request_error"
    assert desk.rows() == []


def test_a_missing_parameter_and_an_empty_one_are_told_apart() -> None:
    desk = Desk()
    missing = desk.post("/v1/payment_intents", currency="eur")
    assert (missing.error["code"], missing.error["message"]) == (
        "parameter_missing",
        "Missing required param: amount.",
    )
    assert (
        desk.post("/v1/payment_intents", amount="", currency="eur").error["code"] == "parameter_invalid_empty"
    )


@pytest.mark.parametrize(
    "path",
    [
        "/v1/payment_intents/pi_9",
        "/v1/charges/ch_9",
        "/v1/refunds/re_9",
        "/v1/customers/cus_9",
        "/v1/payment_methods/pm_9",
        "/v1/events/evt_9",
        "/v1/payouts/po_9",
        "/v1/disputes/dp_9",
        "/v1/balance_transactions/txn_9",
        "/v1/checkout/sessions/cs_9",
        "/v1/webhook_endpoints/we_9",
    ],
)
def test_an_unknown_id_answers_404_resource_missing(path: str) -> None:
    answer = Desk().get(path)
    assert (answer.status, answer.error["code"]) == (404, "resource_missing")
    assert answer.error["message"].startswith("No such ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/subscriptions"),
        ("PUT", "/v1/charges"),
        ("GET", "/"),
        ("POST", "/v1/payment_intents//confirm"),
        ("GET", "/v2/core/events"),
    ],
)
def test_an_endpoint_that_is_not_modelled_answers_404(method: str, path: str) -> None:
    answer = Desk().call(method, path)
    assert answer.status == 404
    assert answer.error["message"].startswith(f"Unrecognized request URL ({method}: {path}).")


def test_a_request_without_a_key_or_with_a_strange_one_answers_401() -> None:
    desk = Desk()
    mark = desk.start("GET", "/v1/charges", headers={"Authorization": ""})
    assert desk.answers[mark].error["message"].startswith("You did not provide an API key.")
    mark = desk.start("GET", "/v1/charges", headers={"Authorization": "Bearer pk_test_secretkey"})
    assert desk.answers[mark].error["message"] == "Invalid API Key provided: pk_t********tkey"
    mark = desk.start("GET", "/v1/charges", headers={"Authorization": "Basic c2tfdGVzdF8xOg=="})
    assert desk.answers[mark].status == 200


def test_a_json_body_is_refused_as_the_real_provider_does() -> None:
    desk = Desk()
    mark = desk.start(
        "POST", "/v1/payment_intents", headers={"Content-Type": "application/json"}, body=b'{"amount": 1}'
    )
    assert desk.answers[mark].status == 400
    assert (
        "check that your POST content type is application/x-www-form-urlencoded"
        in desk.answers[mark].error["message"]
    )


def test_lists_are_newest_first_with_cursors() -> None:
    desk = Desk()
    for _ in range(5):
        desk.pay()
    first = desk.get("/v1/payment_intents", limit=2).body
    assert ([item["id"] for item in first["data"]], first["has_more"], first["url"]) == (
        ["pi_5", "pi_4"],
        True,
        "/v1/payment_intents",
    )
    after = desk.get("/v1/payment_intents", limit=2, starting_after="pi_4").body
    assert [item["id"] for item in after["data"]] == ["pi_3", "pi_2"]
    last = desk.get("/v1/payment_intents", limit=2, starting_after="pi_2").body
    assert ([item["id"] for item in last["data"]], last["has_more"]) == (["pi_1"], False)
    before = desk.get("/v1/payment_intents", limit=2, ending_before="pi_1").body
    assert ([item["id"] for item in before["data"]], before["has_more"]) == (["pi_3", "pi_2"], True)
    assert desk.get("/v1/payment_intents", starting_after="pi_9").error["code"] == "resource_missing"
    assert desk.get("/v1/payment_intents", limit=101).status == 400
    created = desk.get("/v1/charges", created={"gte": 1_800_000_001}).body
    assert created["data"] == []


def test_expansion_goes_through_lists_and_leaves_unknown_members_alone() -> None:
    desk = Desk()
    customer = desk.post("/v1/customers", email="a@example.com").body
    desk.pay(customer=customer["id"])
    listed = desk.get("/v1/charges", expand=["data.customer", "data.payment_intent", "data.invoice"]).body[
        "data"
    ][0]
    assert (listed["customer"]["email"], listed["payment_intent"]["id"]) == ("a@example.com", "pi_1")
    deep = desk.get("/v1/charges/ch_1", expand=["a.b.c.d.e"])
    assert deep.error["message"] == "You cannot expand more than 4 levels of a property. Property: a.b.c.d.e"


def test_customers_and_saved_cards() -> None:
    desk = Desk()
    customer = desk.post("/v1/customers", email="a@example.com", payment_method="pm_card_visa").body
    [saved] = desk.get(f"/v1/customers/{customer['id']}/payment_methods").body["data"]
    assert (saved["customer"], saved["card"]["last4"]) == (customer["id"], "4242")
    made = desk.post(
        "/v1/payment_methods",
        type="card",
        card={"number": "4000 0000 0000 0002", "exp_month": 12, "exp_year": 40},
    )
    refused = desk.post(f"/v1/payment_methods/{made.body['id']}/attach", customer=customer["id"])
    assert (refused.status, refused.error["decline_code"]) == (402, "generic_decline")
    attached = desk.post("/v1/payment_methods/pm_card_chargeCustomerFail/attach", customer=customer["id"])
    assert attached.body["customer"] == customer["id"]
    assert desk.pay(customer=customer["id"], payment_method=attached.body["id"]).status == 402
    assert desk.post(f"/v1/payment_methods/{saved['id']}/detach").body["customer"] is None
    assert desk.call("DELETE", f"/v1/customers/{customer['id']}").body["deleted"] is True
    assert desk.pay(customer=customer["id"]).error["code"] == "resource_missing"


def test_a_bare_charge_takes_the_tokens_of_a_chain_in_turn() -> None:
    desk = Desk()
    params = {"amount": 1000, "currency": "usd", "source": "tok_chargeDeclined|tok_visa|order-7"}
    assert [desk.post("/v1/charges", **params).status for _ in range(3)] == [402, 200, 200]
    held = desk.post("/v1/charges", amount=1000, currency="usd", source="tok_visa", capture="false").body
    assert (
        held["captured"],
        desk.post(f"/v1/charges/{held['id']}/capture", amount=600).body["amount_captured"],
    ) == (False, 600)


def test_a_checkout_session_is_paid_by_a_control_call_and_expires_by_itself() -> None:
    desk = Desk(profile=Profile.stripe_v1(webhook_retries_us=()))
    line = {
        "price_data": {"currency": "eur", "unit_amount": 1250, "product_data": {"name": "Tea"}},
        "quantity": 2,
    }
    create = {
        "mode": "payment",
        "line_items": [line],
        "success_url": "https://shop.example/ok",
        "payment_intent_data": {"metadata": {"order_id": "o-1"}},
    }
    session = desk.post("/v1/checkout/sessions", **create).body
    assert (session["amount_total"], session["status"], session["payment_intent"]) == (2500, "open", None)
    paid = desk.control("pay", session=session["id"])
    assert (paid["status"], paid["payment_status"]) == ("complete", "paid")
    assert desk.get("/v1/payment_intents/pi_1").body["metadata"] == {"order_id": "o-1"}
    other = desk.post("/v1/checkout/sessions", **create).body
    later = desk.control("pay", session=other["id"], outcome="failed")
    assert later["payment_status"] == "unpaid"
    third = desk.post("/v1/checkout/sessions", **create).body
    sent = types(desk.wait(DAY_US))
    assert sent.count("checkout.session.completed") == 2
    assert sent.count("checkout.session.async_payment_failed") == 1
    assert desk.get(f"/v1/checkout/sessions/{third['id']}").body["status"] == "expired"
    lines = desk.get(f"/v1/checkout/sessions/{third['id']}/line_items").body["data"]
    assert (lines[0]["description"], lines[0]["amount_total"]) == ("Tea", 2500)


def test_copied_example_ids_are_answered_from_samples_and_change_nothing() -> None:
    desk = Desk()
    assert desk.get("/v1/payment_intents/pi_xxxxxxxxxxxxx").body["id"] == "pi_xxxxxxxxxxxxx"
    assert desk.post("/v1/payment_intents/pi_xxxxxxxxxxxxx/cancel").body["status"] == "canceled"
    assert desk.rows() == []
    assert desk.wait(DAY_US) == []
    strict = Desk(profile=Profile.stripe_v1(fixtures=False))
    assert strict.get("/v1/payment_intents/pi_xxxxxxxxxxxxx").status == 404


def test_the_version_of_the_request_is_accepted_and_named() -> None:
    desk = Desk()
    mark = desk.start("GET", "/v1/charges", headers={"Stripe-Version": "2020-08-27"})
    assert desk.answers[mark].headers["Stripe-Version"] == "2020-08-27"


def test_two_providers_of_one_seed_say_the_same_bytes() -> None:
    def bytes_of(seed: int) -> list[bytes]:
        desk = Desk(seed=seed)
        return [desk.pay(key="k").raw, desk.hold().raw, *(d.attempt.body for d in desk.wait(DAY_US))]

    assert bytes_of(1) == bytes_of(1)
    assert bytes_of(1) != bytes_of(2)
