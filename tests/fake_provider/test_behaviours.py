"""Misbehaviour on requests: each does what its line in the registry says, at the layer where it belongs."""

from json import dumps, loads
from typing import Any

import pytest

from fake_provider import MISBEHAVIOURS, Behaviour, BehaviourError
from tests.fake_provider.desk import SECOND_US, START_US, Desk, types
from tests.fake_provider.test_money import assert_books_balance

CREATE = "POST /v1/payment_intents"


def misbehaving(
    name: str, operation: str = CREATE, attempt: int = 1, entity: str | None = None, **parameters: Any
) -> Desk:
    return Desk(Behaviour(name, operation, entity, attempt, parameters))


@pytest.mark.parametrize(("name", "dropped"), [("timeout_before", False), ("drop_before", True)])
def test_before_means_that_no_money_moved(name: str, dropped: bool) -> None:
    desk = misbehaving(name)
    first = desk.pay(key="k-1")
    assert (first.lost, first.dropped) == (True, dropped)
    assert desk.rows() == []
    assert desk.pay(key="k-1").status == 200
    assert len(desk.rows("charge")) == 1


@pytest.mark.parametrize(("name", "dropped"), [("timeout_after", False), ("drop_after", True)])
def test_after_means_that_the_money_moved_and_the_key_knows(name: str, dropped: bool) -> None:
    desk = misbehaving(name)
    first = desk.pay(key="k-1")
    assert (first.lost, first.dropped) == (True, dropped)
    assert len(desk.rows("charge")) == 1
    second = desk.pay(key="k-1")
    assert (second.status, second.headers["Idempotent-Replayed"]) == (200, "true")
    assert len(desk.rows("charge")) == 1


def test_truncated_cuts_the_answer_short() -> None:
    first = misbehaving("truncated", bytes=17).pay()
    assert (first.cut, first.status) == (17, 200)


def test_error_before_is_not_stored_and_may_be_a_proxy_page() -> None:
    desk = misbehaving("error_before", status=502, html=True)
    first = desk.pay(key="k-1")
    assert (first.status, first.headers["Content-Type"]) == (502, "text/html")
    assert first.raw.startswith(b"<html>")
    assert desk.pay(key="k-1").status == 200


def test_error_rolled_back_is_visible_first_and_undone_later() -> None:
    desk = misbehaving("error_rolled_back", delay_us=30 * SECOND_US)
    assert desk.pay(key="k-1").status == 500
    assert desk.get("/v1/payment_intents/pi_1").body["status"] == "succeeded"
    desk.wait(30 * SECOND_US)
    assert [row["kind"] for row in desk.rows()] == ["charge", "refund"]
    assert desk.pay(key="k-1").status == 500
    assert_books_balance(desk)


def test_error_rolled_back_releases_a_hold_and_fails_a_refund() -> None:
    desk = Desk(Behaviour("error_rolled_back", CREATE), Behaviour("error_rolled_back", "POST /v1/refunds"))
    desk.hold()
    desk.pay()
    desk.post("/v1/refunds", payment_intent="pi_2")
    desk.wait(60 * SECOND_US)
    assert [row["kind"] for row in desk.rows()] == [
        "authorize",
        "charge",
        "refund",
        "release",
        "refund_failed",
    ]
    assert desk.get("/v1/payment_intents/pi_1").body["status"] == "canceled"
    assert_books_balance(desk)


def test_error_rolled_forward_happens_later_and_fires_events() -> None:
    desk = misbehaving("error_rolled_forward", delay_us=30 * SECOND_US)
    assert desk.pay(key="k-1").status == 500
    assert desk.rows() == []
    desk.wait(31 * SECOND_US)
    [row] = desk.rows("charge")
    assert (row["at_us"], row["idempotency_key"]) == (START_US + 30 * SECOND_US, "k-1")
    assert "payment_intent.succeeded" in types(desk.deliveries)
    assert desk.pay(key="k-1").status == 500


def test_unstored_is_the_providers_own_double_charge() -> None:
    desk = misbehaving("unstored")
    assert desk.pay(key="k-1").dropped
    assert desk.pay(key="k-1").status == 200
    assert len(desk.rows("charge")) == 2


def test_forget_key_makes_a_retry_a_new_request() -> None:
    desk = misbehaving("forget_key", attempt=2)
    desk.pay(key="k-1")
    assert "Idempotent-Replayed" not in desk.pay(key="k-1").headers
    assert len(desk.rows("charge")) == 2


def test_rate_limited_says_why_and_only_says_retry_when_told_to() -> None:
    desk = Desk(
        Behaviour("rate_limited", CREATE, parameters={"reason": "endpoint-rate"}),
        Behaviour("rate_limited", CREATE, attempt=2, parameters={"should_retry": "true"}),
    )
    first, second = desk.pay(key="k-1"), desk.pay(key="k-1")
    assert (first.status, first.headers["Stripe-Rate-Limited-Reason"]) == (429, "endpoint-rate")
    assert "Stripe-Should-Retry" not in first.headers
    assert second.headers["Stripe-Should-Retry"] == "true"
    assert desk.pay(key="k-1").status == 200


def test_lock_timeout_and_key_in_use_leave_the_key_free() -> None:
    desk = Desk(Behaviour("lock_timeout", CREATE), Behaviour("key_in_use", CREATE, attempt=2))
    first, second = desk.pay(key="k-1"), desk.pay(key="k-1")
    assert (first.status, first.error["code"], first.headers["Stripe-Should-Retry"]) == (
        429,
        "lock_timeout",
        "true",
    )
    assert (second.status, second.error["code"]) == (409, "idempotency_key_in_use")
    assert desk.pay(key="k-1").status == 200
    assert len(desk.rows("charge")) == 1


def test_slow_answers_late_what_is_done_and_stored_at_once() -> None:
    desk = misbehaving("slow", delay_us=9 * SECOND_US)
    assert desk.pay(key="k-1").at_us == START_US + 9 * SECOND_US
    assert desk.rows("charge")[0]["at_us"] == START_US
    assert desk.pay(key="k-1").at_us == START_US


def test_slow_execute_moves_the_money_late() -> None:
    desk = misbehaving("slow_execute", delay_us=9 * SECOND_US)
    mark = desk.start(
        "POST",
        "/v1/payment_intents",
        amount=100,
        currency="eur",
        confirm="true",
        payment_method="pm_card_visa",
    )
    assert mark not in desk.answers
    assert desk.rows() == []
    desk.wait(9 * SECOND_US)
    assert (desk.answers[mark].at_us, desk.rows()[0]["at_us"]) == (desk.now_us, desk.now_us)


def test_slow_store_moves_the_money_at_once_and_keeps_the_key_in_flight() -> None:
    desk = misbehaving("slow_store", delay_us=9 * SECOND_US)
    desk.pay(key="k-1")
    assert desk.rows("charge")[0]["at_us"] == START_US
    assert desk.pay(key="k-1").status == 409
    desk.wait(9 * SECOND_US)
    assert desk.pay(key="k-1").headers["Idempotent-Replayed"] == "true"


def test_decline_and_require_action_overrule_a_good_card() -> None:
    desk = Desk(
        Behaviour("decline", CREATE, parameters={"decline_code": "insufficient_funds"}),
        Behaviour("require_action", CREATE, attempt=2),
    )
    assert desk.pay().error["message"] == "Your card has insufficient funds."
    assert desk.pay().body["status"] == "requires_action"
    assert desk.pay().body["status"] == "succeeded"


def test_refund_fates_can_be_ordered() -> None:
    desk = Desk(
        Behaviour("refund_pending", "POST /v1/refunds", parameters={"delay_us": SECOND_US}),
        Behaviour("refund_failed", "POST /v1/refunds", attempt=2, parameters={"delay_us": SECOND_US}),
    )
    desk.pay(1000)
    assert desk.post("/v1/refunds", payment_intent="pi_1", amount=100).body["status"] == "pending"
    assert desk.post("/v1/refunds", payment_intent="pi_1", amount=100).body["status"] == "succeeded"
    desk.wait(SECOND_US)
    assert [desk.get(f"/v1/refunds/re_{n}").body["status"] for n in (1, 2)] == ["succeeded", "failed"]


def test_a_behaviour_hits_the_nth_attempt_about_one_entity_and_as_often_as_it_says() -> None:
    desk = Desk(
        Behaviour("error_before", CREATE, "o-1", 2, {"count": 2}),
        Behaviour("error_before", "POST /v1/payment_intents/{id}/confirm", "pi_1"),
    )
    statuses = [
        desk.pay(metadata={"order_id": order}).status for order in ("o-1", "o-2", "o-1", "o-1", "o-1")
    ]
    assert statuses == [200, 200, 503, 503, 200]
    assert [desk.post(f"/v1/payment_intents/{name}/confirm").status for name in ("pi_2", "pi_1")] == [
        400,
        503,
    ]
    assert [fired for _, fired in desk.provider.behaviours()] == [2, 1]


def test_behaviours_can_be_added_and_forgotten_at_run_time() -> None:
    desk = Desk()
    desk.provider.behave(Behaviour("decline", "*", parameters={"count": 9}))
    assert desk.pay().status == 402
    desk.provider.behave_well()
    assert desk.pay().status == 200


@pytest.mark.parametrize(
    "spelling",
    [
        "POST /v1/payment_intents/{id}/confirm",
        "POST /v1/payment_intents/:id/confirm",
        "POST /v1/payment_intents/*/confirm",
        "POST /v1/payment_intents/pi_1/confirm",
        "*",
    ],
)
def test_an_operation_may_be_spelled_in_the_ways_people_know(spelling: str) -> None:
    desk = Desk()
    desk.post("/v1/payment_intents", amount=100, currency="eur", payment_method="pm_card_visa")
    desk.provider.behave(Behaviour("error_before", spelling))
    assert desk.post("/v1/payment_intents/pi_1/confirm").status == 503


def test_every_misbehaviour_survives_json() -> None:
    for name, known in MISBEHAVIOURS.items():
        operation = CREATE if known.on == "request" else "charge.*"
        behaviour = Behaviour(name, operation, "o-1", 3, dict(known.parameters))
        assert Behaviour.from_json(loads(dumps(behaviour.to_json()))) == behaviour
        assert known.meaning
        assert "\n" not in known.meaning


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"name": "tiemout_after"},
            (
                "behaviour 'tiemout_after' does not exist. Did you mean 'timeout_after'? "
                "`python -m fake_provider faults` lists them all."
            ),
        ),
        ({"name": "slow", "attempt": 0}, "behaviour 'slow': attempt is 0; it counts from 1."),
        (
            {"name": "slow", "operation": "charge.succeeded"},
            "behaviour 'slow' works on a request: operation 'charge.succeeded' must look like 'POST /v1/refunds'.",
        ),
        (
            {"name": "callback_lost", "operation": "POST /v1/refunds"},
            (
                "behaviour 'callback_lost' works on a callback: operation 'POST /v1/refunds' must look like "
                "'payment_intent.succeeded'."
            ),
        ),
        (
            {"name": "slow", "parameters": {"delay_ms": 3}},
            "behaviour 'slow' has no parameter 'delay_ms'; it has: count, delay_us.",
        ),
        (
            {"name": "slow", "parameters": {"delay_us": "3"}},
            "behaviour 'slow': parameter 'delay_us' is '3'; it must be a whole number, 0 or more.",
        ),
        (
            {"name": "slow", "operations": "*"},
            "behaviour 'slow' has no member 'operations'; it has: name, operation, entity, attempt, parameters.",
        ),
        ({"nam": "slow"}, "a behaviour is \"{'nam': 'slow'}\"; it must be an object with a 'name'."),
        (
            {"name": "slow", "entity": 7},
            "behaviour 'slow': entity must be a text or null, parameters an object.",
        ),
    ],
)
def test_a_wrong_behaviour_is_explained(data: dict[str, Any], message: str) -> None:
    with pytest.raises(BehaviourError) as caught:
        Behaviour.from_json(data)
    assert str(caught.value) == message
