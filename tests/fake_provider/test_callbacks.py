"""Callbacks: when they are sent, how they are signed, how they are repeated, and everything that can be wrong
with them."""

from itertools import pairwise
from typing import Any

import pytest
import stripe

from fake_provider import Behaviour, Deliver, Profile
from tests.fake_provider.desk import DAY_US, SECOND_US, START_US, Desk, event, types

SUCCEEDED = "payment_intent.succeeded"


def verified(desk: Desk, delivery: Deliver, secret: str = "whsec_desk", age_s: int = 0) -> Any:
    """What the SDK's own function says about a delivery that arrives `age_s` after it was sent."""
    header = desk.provider.sign(delivery.attempt, desk.now_us)["Stripe-Signature"]
    tolerance, now_s = 300, desk.now_us // SECOND_US + age_s
    # The SDK takes the wall clock; here its tolerance is stretched by the distance between that and our clock.
    import time

    return stripe.Webhook.construct_event(
        delivery.attempt.body, header, secret, tolerance=int(time.time()) - now_s + tolerance
    )


def misbehaving(name: str, operation: str = SUCCEEDED, attempt: int = 1, **parameters: Any) -> Desk:
    return Desk(Behaviour(name, operation, attempt=attempt, parameters=parameters))


def sent(desk: Desk, delay_us: int = DAY_US // 24) -> list[tuple[float, str, str]]:
    """Second, type and event id of everything sent, each acknowledged with 200."""
    found = []
    end_us = desk.now_us + delay_us
    while (due_us := desk.provider.due_us()) is not None and due_us <= end_us:
        for delivery in desk.wait(max(due_us - desk.now_us, 0)):
            found.append(
                ((desk.now_us - START_US) / SECOND_US, delivery.attempt.event_type, delivery.attempt.event_id)
            )
            before = len(desk.deliveries)
            desk.outcome(delivery, 200)
            for released in desk.deliveries[before:]:
                found.append(
                    (
                        (desk.now_us - START_US) / SECOND_US,
                        released.attempt.event_type,
                        released.attempt.event_id,
                    )
                )
                desk.outcome(released, 200)
    return found


def test_events_come_after_the_answer_in_the_order_of_what_happened() -> None:
    desk = Desk()
    desk.pay(key="k-1", metadata={"order_id": "o-1"})
    assert desk.deliveries == []
    deliveries = desk.wait(desk.provider.profile.webhook_delay_us)
    assert types(deliveries) == ["payment_intent.created", "charge.succeeded", SUCCEEDED]
    body = event(deliveries[2])
    assert body["data"]["object"]["status"] == "succeeded"
    assert (body["created"], body["pending_webhooks"], body["request"]) == (
        START_US // SECOND_US,
        1,
        {"id": "req_1", "idempotency_key": "k-1"},
    )


def test_an_event_is_a_snapshot() -> None:
    desk = Desk()
    desk.hold()
    desk.post("/v1/payment_intents/pi_1/capture")
    first = event(desk.wait(SECOND_US)[0])
    assert first["data"]["object"]["status"] == "requires_confirmation"
    assert desk.get(f"/v1/events/{first['id']}").body["data"] == first["data"]


def test_the_sdk_accepts_the_signature_and_refuses_another_secret_a_changed_body_and_old_age() -> None:
    desk = Desk()
    desk.pay()
    delivery = desk.wait(SECOND_US)[-1]
    assert verified(desk, delivery).type == SUCCEEDED
    assert verified(desk, delivery, age_s=299)
    with pytest.raises(stripe.SignatureVerificationError, match="Timestamp outside the tolerance zone"):
        verified(desk, delivery, age_s=302)
    with pytest.raises(
        stripe.SignatureVerificationError, match="No signatures found matching the expected signature"
    ):
        verified(desk, delivery, secret="whsec_other")


def test_every_attempt_is_signed_anew_when_it_leaves() -> None:
    desk = Desk()
    desk.pay()
    first = desk.wait(SECOND_US)[-1]
    headers = [desk.provider.sign(first.attempt, desk.now_us)["Stripe-Signature"]]
    desk.outcome(first, 500)
    [second] = desk.wait(60 * SECOND_US)
    headers.append(desk.provider.sign(second.attempt, desk.now_us)["Stripe-Signature"])
    assert second.attempt.body == first.attempt.body
    assert second.attempt.number == 2
    assert [header.split(",")[0] for header in headers] == ["t=1800000001", "t=1800000061"]
    assert verified(desk, second)


def test_failed_deliveries_are_repeated_with_growing_pauses_for_three_days_and_then_given_up() -> None:
    desk = Desk()
    desk.post("/v1/customers", email="a@example.com")
    times = []
    for _ in range(20):
        due_us = desk.provider.due_us()
        if due_us is None:
            break
        for delivery in desk.wait(due_us - desk.now_us):
            times.append((desk.now_us - START_US) // SECOND_US)
            desk.outcome(delivery, None if len(times) % 2 else 302)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == [60, 300, 1200, 3600, 10800, 21600, 43200, 86400, 92040]
    assert sum(pauses) == 3 * 86_400
    [undelivered] = desk.get("/v1/events", delivery_success="false").body["data"]
    assert undelivered["type"] == "customer.created"
    assert desk.get("/v1/events", delivery_success="true").body["data"] == []


def test_a_disabled_endpoint_gets_no_retries_but_one_enabled_in_time_does() -> None:
    desk = Desk()
    endpoint = desk.get("/v1/webhook_endpoints").body["data"][0]["id"]
    desk.post("/v1/customers")
    desk.outcome(desk.wait(SECOND_US)[0], 500)
    desk.post(f"/v1/webhook_endpoints/{endpoint}", disabled="true")
    desk.wait(30 * SECOND_US)
    desk.post(f"/v1/webhook_endpoints/{endpoint}", disabled="false")
    [again] = desk.wait(30 * SECOND_US)
    desk.outcome(again, 500)
    desk.post(f"/v1/webhook_endpoints/{endpoint}", disabled="true")
    assert desk.wait(4 * DAY_US) == []


def test_an_endpoint_gets_what_it_enabled_until_it_is_deleted() -> None:
    desk = Desk(hooks=False)
    made = desk.post(
        "/v1/webhook_endpoints", url="http://shop.example/w", enabled_events=["charge.succeeded"]
    ).body
    assert made["secret"].startswith("whsec_")
    assert "secret" not in desk.get(f"/v1/webhook_endpoints/{made['id']}").body
    desk.pay()
    [delivery] = desk.wait(SECOND_US)
    assert delivery.attempt.url == "http://shop.example/w"
    assert verified(desk, delivery, made["secret"]).type == "charge.succeeded"
    desk.pay()
    assert desk.call("DELETE", f"/v1/webhook_endpoints/{made['id']}").body["deleted"] is True
    assert desk.wait(SECOND_US) == []
    assert (
        desk.post("/v1/webhook_endpoints", url="nowhere", enabled_events=["*"]).error["code"] == "url_invalid"
    )


def test_a_rolled_secret_signs_beside_the_new_one_for_a_day() -> None:
    desk = Desk()
    rolled = desk.control("roll_secret", endpoint="we_1")
    desk.pay()
    delivery = desk.wait(SECOND_US)[-1]
    assert desk.provider.sign(delivery.attempt, desk.now_us)["Stripe-Signature"].count("v1=") == 2
    for secret in ("whsec_desk", rolled["secret"]):
        assert verified(desk, delivery, secret)
    desk.wait(DAY_US)
    assert desk.provider.sign(delivery.attempt, desk.now_us)["Stripe-Signature"].count("v1=") == 1


def test_resending_by_hand_does_not_stop_the_retries() -> None:
    desk = Desk()
    desk.post("/v1/customers")
    first = desk.wait(SECOND_US)[0]
    desk.outcome(first, 500)
    [by_hand] = desk.provider.resend(first.attempt.event_id, desk.now_us)
    assert isinstance(by_hand, Deliver)
    desk.outcome(by_hand, 200)
    [retry] = desk.wait(60 * SECOND_US)
    assert retry.attempt.event_id == first.attempt.event_id


def test_callback_early_arrives_before_the_answer() -> None:
    desk = misbehaving("callback_early", delay_us=300_000)
    answer = desk.pay()
    assert types(desk.deliveries) == [SUCCEEDED]
    assert (desk.deliveries[0].at_us, answer.at_us) == (START_US, START_US + 300_000)


def test_callback_late_arrives_late() -> None:
    desk = misbehaving("callback_late", delay_us=90 * SECOND_US)
    desk.pay()
    assert [(second, kind) for second, kind, _ in sent(desk)] == [
        (0.05, "payment_intent.created"),
        (0.05, "charge.succeeded"),
        (90.05, SUCCEEDED),
    ]


def test_callback_dropped_arrives_with_a_retry() -> None:
    desk = misbehaving("callback_dropped", attempts=2)
    desk.pay()
    assert [second for second, kind, _ in sent(desk) if kind == SUCCEEDED] == [360.05]


def test_callback_lost_never_arrives() -> None:
    desk = misbehaving("callback_lost")
    desk.pay()
    assert SUCCEEDED not in [kind for _, kind, _ in sent(desk, 5 * DAY_US)]
    assert desk.get("/v1/events", type=SUCCEEDED).body["data"][0]["pending_webhooks"] == 1


@pytest.mark.parametrize(("new_id", "ids"), [(False, 1), (True, 3)])
def test_callback_duplicated_arrives_several_times(new_id: bool, ids: int) -> None:
    desk = misbehaving("callback_duplicated", copies=2, gap_us=SECOND_US, new_id=new_id)
    desk.pay()
    copies = [(second, name) for second, kind, name in sent(desk) if kind == SUCCEEDED]
    assert [second for second, _ in copies] == [0.05, 1.05, 2.05]
    assert len({name for _, name in copies}) == ids


def test_concurrent_duplicates_leave_at_the_same_instant() -> None:
    desk = misbehaving("callback_duplicated")
    desk.pay()
    assert [second for second, kind, _ in sent(desk) if kind == SUCCEEDED] == [0.05, 0.05]


def test_callback_held_waits_for_the_other_event_of_the_same_payment() -> None:
    desk = misbehaving("callback_held", "payment_intent.created", until=SUCCEEDED)
    desk.pay()
    desk.pay()
    kinds = [kind for _, kind, _ in sent(desk)]
    assert kinds.index(SUCCEEDED) < kinds.index(
        "payment_intent.created", kinds.index("payment_intent.created") + 1
    )
    assert kinds.count("payment_intent.created") == 2
    ids = [desk.get(f"/v1/events/{name}").body["data"]["object"]["id"] for name in ("evt_1", "evt_4")]
    assert ids == ["pi_1", "pi_2"]


def test_callback_held_is_released_by_a_call_or_after_its_time() -> None:
    desk = misbehaving("callback_held", until="payout.paid")
    desk.pay()
    desk.wait(SECOND_US)
    assert types(desk.deliveries) == ["payment_intent.created", "charge.succeeded"]
    assert [
        action.attempt.event_type
        for action in desk.provider.release(desk.now_us)
        if isinstance(action, Deliver)
    ] == [SUCCEEDED]
    timed = misbehaving("callback_held", until="payout.paid", delay_us=5 * SECOND_US)
    timed.pay()
    assert [second for second, kind, _ in sent(timed) if kind == SUCCEEDED] == [5.05]


def test_callback_reordered_arrives_after_the_next_event() -> None:
    desk = misbehaving("callback_reordered", "charge.succeeded")
    desk.pay()
    assert [kind for _, kind, _ in sent(desk)] == ["payment_intent.created", SUCCEEDED, "charge.succeeded"]
    alone = misbehaving("callback_reordered", SUCCEEDED, delay_us=9 * SECOND_US)
    alone.pay()
    assert [second for second, kind, _ in sent(alone) if kind == SUCCEEDED] == [9.05], (
        "no next event: its time runs out"
    )


def test_callback_stale_sends_an_older_event_again_afterwards() -> None:
    desk = misbehaving("callback_stale", delay_us=2 * SECOND_US)
    desk.pay(payment_method="pm_card_chargeDeclined")
    desk.post("/v1/payment_intents/pi_1/confirm", payment_method="pm_card_visa")
    found = sent(desk)
    assert found[-1][:2] == (2.05, "payment_intent.payment_failed")
    assert [name for _, kind, name in found if kind == "payment_intent.payment_failed"] == ["evt_3", "evt_3"]


def test_callback_old_snapshot_carries_the_state_before() -> None:
    desk = misbehaving("callback_old_snapshot")
    desk.pay()
    last = desk.wait(SECOND_US)[-1]
    assert (last.attempt.event_type, event(last)["data"]["object"]["status"]) == (
        SUCCEEDED,
        "requires_confirmation",
    )


def test_callback_forged_claims_a_payment_that_never_was_under_another_secret() -> None:
    desk = misbehaving("callback_forged", "payment_intent.payment_failed")
    desk.pay(payment_method="pm_card_chargeDeclined")
    forged = [delivery for delivery in desk.wait(SECOND_US) if delivery.attempt.event_type == SUCCEEDED]
    assert [event(delivery)["data"]["object"]["status"] for delivery in forged] == ["succeeded"]
    with pytest.raises(stripe.SignatureVerificationError):
        verified(desk, forged[0])
    assert desk.get(f"/v1/events/{forged[0].attempt.event_id}").status == 404


def test_signature_faults_are_refused_by_the_sdk() -> None:
    for name, parameters in (("signature_stale", {"age_s": 301}), ("signature_forged", {})):
        desk = misbehaving(name, **parameters)
        desk.pay()
        with pytest.raises(stripe.SignatureVerificationError):
            verified(desk, desk.wait(SECOND_US)[-1])
    desk = misbehaving("signature_missing")
    desk.pay()
    assert "Stripe-Signature" not in desk.provider.sign(desk.wait(SECOND_US)[-1].attempt, desk.now_us)


def test_signature_replayed_repeats_body_and_signature_when_they_are_old() -> None:
    desk = misbehaving("signature_replayed", delay_us=600 * SECOND_US)
    desk.pay()
    first = desk.wait(SECOND_US)[-1]
    header = desk.provider.sign(first.attempt, desk.now_us)["Stripe-Signature"]
    desk.outcome(first, 200)
    [again] = desk.wait(600 * SECOND_US)
    assert again.attempt.body == first.attempt.body
    assert desk.provider.sign(again.attempt, desk.now_us)["Stripe-Signature"] == header
    with pytest.raises(stripe.SignatureVerificationError, match="Timestamp outside the tolerance zone"):
        verified(desk, again)


def test_a_behaviour_can_name_one_entity_and_one_occurrence() -> None:
    desk = Desk(Behaviour("callback_lost", SUCCEEDED, entity="o-2", attempt=1), profile=Profile.stripe_v1())
    for order in ("o-1", "o-2", "o-2"):
        desk.pay(metadata={"order_id": order})
    arrived = [
        event(d)["data"]["object"]["metadata"]["order_id"]
        for d in desk.wait(SECOND_US)
        if d.attempt.event_type == SUCCEEDED
    ]
    assert arrived == ["o-1", "o-2"]
