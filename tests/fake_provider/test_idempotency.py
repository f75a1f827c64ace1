"""Idempotency keys as STRIPE.md section 1 has them: what is stored, replayed, refused, in flight and forgotten."""

import pytest

from fake_provider import Behaviour, Profile
from tests.fake_provider.desk import DAY_US, SECOND_US, Desk


def test_a_repeated_key_is_answered_with_the_same_bytes_and_moves_no_more_money() -> None:
    desk = Desk()
    first, second = desk.pay(key="k-1"), desk.pay(key="k-1")
    assert first.raw == second.raw
    assert len(desk.rows("charge")) == 1
    assert "Idempotent-Replayed" not in first.headers
    assert first.headers["Original-Request"] == first.headers["Request-Id"] == "req_1"
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (second.headers["Original-Request"], second.headers["Request-Id"]) == ("req_1", "req_2")
    assert second.headers["Idempotency-Key"] == "k-1"


def test_the_same_key_with_other_parameters_is_refused_in_the_known_words() -> None:
    desk = Desk()
    desk.pay(4200, key="k-1")
    answer = desk.pay(4300, key="k-1")
    assert answer.status == 400
    assert answer.error["type"] == "idempotency_error"
    assert "code" not in answer.error
    assert answer.error["message"] == (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a "
        "key other than 'k-1' if you meant to execute a different request."
    )


def test_the_same_key_at_another_endpoint_names_both_endpoints() -> None:
    desk = Desk()
    desk.pay(key="k-1")
    answer = desk.post("/v1/refunds", "k-1", payment_intent="pi_1")
    assert answer.error["message"] == (
        "Keys for idempotent requests can only be used for the same endpoint they were first used for "
        "('/v1/refunds' vs "
        "'/v1/payment_intents'). Try using a key other than 'k-1' if you meant to execute a different request."
    )
    assert desk.rows("refund") == []


def test_a_decline_is_replayed_as_the_same_decline() -> None:
    desk = Desk()
    first = desk.pay(key="k-1", payment_method="pm_card_chargeDeclined")
    second = desk.pay(key="k-1", payment_method="pm_card_chargeDeclined")
    assert first.status == second.status == 402
    assert first.raw == second.raw
    assert len(desk.rows("decline")) == 1


def test_a_validation_failure_is_not_stored() -> None:
    desk = Desk()
    assert desk.pay("lots", key="k-1").status == 400
    assert desk.pay(4200, key="k-1").status == 200


def test_an_executed_failure_is_stored() -> None:
    desk = Desk()
    desk.pay()
    first = desk.post("/v1/payment_intents/pi_1/cancel", "k-1")
    assert first.error["code"] == "payment_intent_unexpected_state"
    assert desk.post("/v1/payment_intents/pi_1/cancel", "k-1").headers["Idempotent-Replayed"] == "true"


def test_a_stored_500_is_replayed_and_says_that_retrying_is_useless() -> None:
    desk = Desk(Behaviour("error_after", "POST /v1/payment_intents"))
    first, second = desk.pay(key="k-1"), desk.pay(key="k-1")
    assert (first.status, second.status) == (500, 500)
    assert first.raw == second.raw
    assert first.headers["Stripe-Should-Retry"] == second.headers["Stripe-Should-Retry"] == "false"
    assert len(desk.rows("charge")) == 1


def test_a_key_that_is_being_worked_on_answers_409() -> None:
    desk = Desk(Behaviour("slow_execute", "POST /v1/payment_intents", parameters={"delay_us": SECOND_US}))
    first = desk.start("POST", "/v1/payment_intents", "k-1", amount=4200, currency="eur")
    second = desk.post("/v1/payment_intents", "k-1", amount=4200, currency="eur")
    assert (second.status, second.error["code"]) == (409, "idempotency_key_in_use")
    assert second.error["message"] == (
        "There is currently another in-progress request using this Idempotent Key (k-1). Please try again later."
    )
    assert first not in desk.answers
    desk.wait(SECOND_US)
    assert desk.answers[first].status == 200
    assert desk.post("/v1/payment_intents", "k-1", amount=4200, currency="eur").raw == desk.answers[first].raw


def test_latency_alone_keeps_a_key_in_flight() -> None:
    desk = Desk(profile=Profile.stripe_v1(latency_us=80_000))
    first = desk.pay(key="k-1")
    assert first.at_us == desk.now_us + 80_000
    assert desk.pay(key="k-1").status == 409
    desk.wait(80_000)
    assert desk.pay(key="k-1").raw == first.raw


def test_a_key_is_a_new_request_after_a_day() -> None:
    desk = Desk()
    desk.pay(key="k-1")
    desk.wait(DAY_US)
    assert desk.pay(key="k-1").headers.get("Idempotent-Replayed") == "true"
    desk.wait(1)
    assert "Idempotent-Replayed" not in desk.pay(key="k-1").headers
    assert len(desk.rows("charge")) == 2


def test_connected_accounts_do_not_share_keys() -> None:
    desk = Desk()
    params = {"amount": 100, "currency": "eur"}
    one, two = (
        desk.answers[desk.start("POST", "/v1/payment_intents", "k", {"Stripe-Account": name}, **params)]
        for name in ("acct_1", "acct_2")
    )
    assert one.body["id"] != two.body["id"]


def test_keys_have_no_effect_on_reads() -> None:
    desk = Desk()
    desk.pay()
    assert desk.call("GET", "/v1/payment_intents/pi_1", "k-1").status == 200
    assert desk.pay(key="k-1").status == 200


def test_a_key_of_more_than_255_characters_is_refused() -> None:
    answer = Desk().pay(key="k" * 256)
    assert (answer.status, answer.error["message"]) == (
        400,
        "Idempotency keys can have at most 255 characters; this one has 256.",
    )


def test_the_two_xx_profile_runs_a_failed_request_again() -> None:
    desk = Desk(profile=Profile.load("two_xx_only"))
    assert desk.pay(key="k-1", payment_method="pm_card_chargeDeclined").status == 402
    assert desk.pay(key="k-1", payment_method="pm_card_visa").status == 200
    assert desk.pay(9900, key="k-1").body["amount"] == 4200, "this provider minds no other parameters"
    assert [row["kind"] for row in desk.rows()] == ["decline", "charge"]


def test_the_two_xx_profile_lets_the_second_of_two_wait_for_the_first() -> None:
    slow = Behaviour("slow_execute", "POST /v1/payment_intents", parameters={"delay_us": SECOND_US})
    desk = Desk(slow, profile=Profile.load("two_xx_only"))
    marks = [desk.start("POST", "/v1/payment_intents", "k-1", amount=4200, currency="eur") for _ in range(2)]
    desk.wait(SECOND_US)
    first, second = (desk.answers[mark] for mark in marks)
    assert first.raw == second.raw
    assert second.headers["Idempotent-Replayed"] == "true"


def test_the_duplicate_check_profile_knows_no_keys_but_rejects_the_same_payment_for_30_seconds() -> None:
    desk = Desk(profile=Profile.load("duplicate_check"))
    order = {"metadata": {"order_id": "o-1"}}
    assert desk.pay(key="k-1", **order).status == 200
    again = desk.pay(key="k-1", **order)
    assert (again.status, again.error["message"]) == (402, "Gateway Rejected: duplicate")
    assert desk.pay(key="k-1", metadata={"order_id": "o-2"}).status == 200
    desk.wait(30 * SECOND_US)
    assert desk.pay(key="k-1", **order).status == 200
    assert len(desk.rows("charge")) == 3


@pytest.mark.parametrize("path", ["/v1/charges/ch_1/capture", "/v1/payment_intents/pi_1/capture"])
def test_a_locked_payment_answers_429_lock_timeout_after_waiting(path: str) -> None:
    slow = Behaviour(
        "slow_execute", "POST /v1/payment_intents/{id}/cancel", parameters={"delay_us": 10 * SECOND_US}
    )
    desk = Desk(slow)
    desk.hold()
    cancel = desk.start("POST", "/v1/payment_intents/pi_1/cancel")
    capture = desk.post(path)
    assert (capture.status, capture.error["code"]) == (429, "lock_timeout")
    assert capture.headers["Stripe-Should-Retry"] == "true"
    assert capture.at_us == desk.now_us + desk.provider.profile.lock_wait_us
    desk.wait(10 * SECOND_US)
    assert desk.answers[cancel].body["status"] == "canceled"


def test_a_request_that_needs_not_wait_long_for_a_lock_runs_after_the_other() -> None:
    slow = Behaviour(
        "slow_execute", "POST /v1/payment_intents/{id}/capture", parameters={"delay_us": SECOND_US}
    )
    desk = Desk(slow)
    desk.hold()
    desk.start("POST", "/v1/payment_intents/pi_1/capture")
    cancel = desk.start("POST", "/v1/payment_intents/pi_1/cancel")
    assert cancel not in desk.answers
    desk.wait(SECOND_US)
    assert (
        desk.answers[cancel]
        .error["message"]
        .startswith(
            "You cannot cancel this PaymentIntent because it has a status of succeeded. Only a PaymentIntent with "
            "one of the "
            "following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, "
            "requires_action."
        )
    )
