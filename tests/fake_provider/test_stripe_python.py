"""The official stripe-python SDK, unmodified, against the standalone provider: sync and async, both styles."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any

import pytest
import stripe
from stripe._http_client import HTTPClient

from fake_provider.cards import CARDS
from tests.fake_provider.conftest import Shop, Standalone

PAYMENT = {"amount": 4200, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
TEA: Any = {"currency": "eur", "unit_amount": 700, "product_data": {"name": "Tea"}}
CREATE = "POST /v1/payment_intents"


def with_card(name: str) -> Any:
    """The payment with another test card."""
    return {**PAYMENT, "payment_method": f"pm_card_{name}"}


@pytest.fixture
def sdk(standalone: Standalone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standalone]:
    """The SDK's global style, pointed at the provider; its pauses between retries are shortened, nothing else."""
    monkeypatch.setattr(stripe, "api_key", "sk_test_1")
    monkeypatch.setattr(stripe, "api_base", standalone.url)
    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    client = stripe.RequestsClient(timeout=0.5)
    monkeypatch.setattr(stripe, "default_http_client", client)
    yield standalone
    client.close()


@pytest.fixture
def client(standalone: Standalone) -> Iterator[stripe.StripeClient]:
    """The `StripeClient` style: it retries nothing by itself."""
    http = stripe.RequestsClient(timeout=5)
    yield stripe.StripeClient("sk_test_1", base_addresses={"api": standalone.url}, http_client=http)
    http.close()


def test_the_global_style_pays_refunds_and_reconciles(sdk: Standalone) -> None:
    customer = stripe.Customer.create(email="a@example.com", metadata={"crm": "7"})
    intent = stripe.PaymentIntent.create(
        **PAYMENT,
        customer=customer.id,
        metadata={"order_id": "o-1"},
        expand=["latest_charge.balance_transaction"],
    )
    assert (intent.status, intent.latest_charge.balance_transaction.net) == ("succeeded", 4048)
    refund = stripe.Refund.create(payment_intent=intent.id, amount=200)
    assert refund.status == "succeeded"
    assert stripe.Balance.retrieve().pending[0].amount == 4048
    assert [t.type for t in stripe.BalanceTransaction.list().auto_paging_iter()] == ["refund", "charge"]
    assert stripe.PaymentIntent.retrieve(intent.id).amount_received == 4200
    assert [event.type for event in stripe.Event.list(limit=2)] == ["charge.refunded", "refund.created"]


def test_the_client_style_holds_captures_and_cancels(client: stripe.StripeClient) -> None:
    first = client.v1.payment_intents.create({**PAYMENT, "capture_method": "manual"})
    assert client.v1.payment_intents.capture(first.id, {"amount_to_capture": 4000}).amount_received == 4000
    second = client.v1.payment_intents.create({**PAYMENT, "capture_method": "manual"})
    assert client.v1.payment_intents.cancel(second.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.capture(second.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    assert caught.value.error is not None
    assert caught.value.error.payment_intent.status == "canceled"


@pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # the SDK's way of calling httpx
def test_both_async_styles_pay(standalone: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[str]:
        http = stripe.HTTPXClient()
        monkeypatch.setattr(stripe, "api_key", "sk_test_1")
        monkeypatch.setattr(stripe, "api_base", standalone.url)
        monkeypatch.setattr(stripe, "default_http_client", http)
        client = stripe.StripeClient("sk_test_1", base_addresses={"api": standalone.url}, http_client=http)
        intents = await asyncio.gather(
            stripe.PaymentIntent.create_async(**PAYMENT), client.v1.payment_intents.create_async(PAYMENT)
        )
        listed = await client.v1.payment_intents.list_async({"limit": 1})
        found = [intent.id async for intent in listed.auto_paging_iter()]
        await http.close_async()
        assert sorted(intent.id for intent in intents) == sorted(found)
        return [intent.status for intent in intents]

    assert asyncio.run(run()) == ["succeeded", "succeeded"]


@pytest.mark.parametrize("card", [card for card in CARDS if card.decline], ids=lambda card: card.name)
def test_every_declining_test_card_raises_its_card_error(sdk: Standalone, card: Any) -> None:
    with pytest.raises(stripe.CardError) as caught:
        stripe.PaymentIntent.create(**{**PAYMENT, "payment_method": f"pm_card_{card.name}"})
    error = caught.value
    assert (error.http_status, error.code, error.user_message) == (
        402,
        card.decline.code,
        card.decline.message,
    )
    assert error.error is not None
    assert error.error.decline_code == card.decline.decline_code
    assert error.error.payment_intent.status == "requires_payment_method"


@pytest.mark.parametrize(
    "card",
    [card for card in CARDS if not card.decline and not card.authenticates],
    ids=lambda card: card.name,
)
def test_every_good_test_card_pays(sdk: Standalone, card: Any) -> None:
    intent = stripe.PaymentIntent.create(**with_card(card.name), expand=["payment_method"])
    assert (intent.status, intent.payment_method.card.last4) == ("succeeded", card.last4)


@pytest.mark.parametrize("fault", ["timeout_after", "drop_after", "timeout_before", "drop_before"])
def test_retries_after_lost_replies_give_one_charge(sdk: Standalone, fault: str) -> None:
    sdk.behave(fault, CREATE, count=2)
    intent = stripe.PaymentIntent.create(**PAYMENT)
    assert intent.status == "succeeded"
    assert [row["payment_intent"] for row in sdk.rows("charge")] == [intent.id]


def test_a_truncated_answer_is_not_retried_by_the_sdk_though_the_money_moved(sdk: Standalone) -> None:
    sdk.behave("truncated", CREATE)
    with pytest.raises(stripe.APIConnectionError, match="IncompleteRead"):
        stripe.PaymentIntent.create(**PAYMENT)
    assert len(sdk.rows("charge")) == 1


def test_the_client_style_does_not_retry_by_itself(
    client: stripe.StripeClient, standalone: Standalone
) -> None:
    standalone.behave("drop_after", CREATE)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(PAYMENT)
    assert len(standalone.rows("charge")) == 1


def test_5xx_and_409_are_retried_but_a_stored_500_and_429_are_not(sdk: Standalone) -> None:
    sdk.behave("error_before", CREATE, status=503)
    sdk.behave("key_in_use", CREATE, attempt=2)
    assert stripe.PaymentIntent.create(**PAYMENT).status == "succeeded"
    sdk.behave("error_after", CREATE)
    with pytest.raises(stripe.APIError) as stored:
        stripe.PaymentIntent.create(**PAYMENT)
    assert stored.value.http_status == 500
    sdk.behave("rate_limited", CREATE)
    with pytest.raises(stripe.RateLimitError):
        stripe.PaymentIntent.create(**PAYMENT)
    assert len(sdk.rows("charge")) == 2


@pytest.mark.parametrize("fault", ["lock_timeout", "rate_limited"])
def test_429_with_should_retry_is_retried(sdk: Standalone, fault: str) -> None:
    sdk.behave(fault, CREATE, **({"should_retry": "true"} if fault == "rate_limited" else {}))
    assert stripe.PaymentIntent.create(**PAYMENT).status == "succeeded"


def test_a_key_with_other_parameters_is_an_idempotency_error(sdk: Standalone) -> None:
    first = stripe.PaymentIntent.create(**PAYMENT, idempotency_key="k-1")
    again = stripe.PaymentIntent.create(**PAYMENT, idempotency_key="k-1")
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError, match="same parameters they were first used with"):
        stripe.PaymentIntent.create(**{**PAYMENT, "amount": 4300}, idempotency_key="k-1")


def test_a_key_in_flight_raises_409_for_the_second_of_two(
    client: stripe.StripeClient, standalone: Standalone
) -> None:
    standalone.behave("slow_execute", CREATE, delay_us=400_000)
    options: Any = {"idempotency_key": "k-1"}

    def pay() -> Any:
        try:
            return client.v1.payment_intents.create(PAYMENT, options).status
        except stripe.APIError as error:
            return error.http_status, error.json_body["error"]["code"]

    with ThreadPoolExecutor(2) as pool:
        outcomes = [future.result() for future in [pool.submit(pay), pool.submit(pay)]]
    assert sorted(map(str, outcomes)) == ["(409, 'idempotency_key_in_use')", "succeeded"]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: stripe.PaymentIntent.retrieve("pi_nope"), stripe.InvalidRequestError),
        (lambda: stripe.PaymentIntent.create(amount="x", currency="eur"), stripe.InvalidRequestError),
        (lambda: stripe.Subscription.list(), stripe.InvalidRequestError),
        (lambda: stripe.Charge.list(api_key="pk_test_1"), stripe.AuthenticationError),
    ],
)
def test_refusals_raise_the_sdks_own_exceptions(
    sdk: Standalone, call: Callable[[], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        call()


def test_callbacks_are_verified_by_the_sdk_and_late_or_stale_ones_refused(
    sdk: Standalone, shop: Shop
) -> None:
    endpoint = stripe.WebhookEndpoint.create(url=shop.url, enabled_events=["payment_intent.succeeded"])
    stripe.PaymentIntent.create(**PAYMENT)
    headers, body = shop.received.get(timeout=5)
    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], endpoint.secret)
    assert (event.type, event.data.object["status"]) == ("payment_intent.succeeded", "succeeded")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", headers["Stripe-Signature"], endpoint.secret)
    signed_s = int(headers["Stripe-Signature"].split(",")[0].removeprefix("t="))
    assert abs(signed_s - time()) < 60
    for fault, parameters in (("signature_stale", {"age_s": 301}), ("signature_forged", {})):
        sdk.behave(fault, "payment_intent.succeeded", **parameters)
        stripe.PaymentIntent.create(**PAYMENT)
        headers, body = shop.received.get(timeout=5)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, headers["Stripe-Signature"], endpoint.secret)


def test_failed_callbacks_are_retried_when_the_clock_is_moved_on(sdk: Standalone, shop: Shop) -> None:
    shop.statuses.put(500)
    shop.statuses.put(302)
    endpoint = stripe.WebhookEndpoint.create(url=shop.url, enabled_events=["customer.created"])
    stripe.Customer.create(email="a@example.com")
    sdk.control("POST", "clock", advance_s=3600)
    seen = [shop.received.get(timeout=5) for _ in range(3)]
    assert shop.received.empty()
    assert len({body for _, body in seen}) == 1
    assert len({headers["Stripe-Signature"] for headers, _ in seen}) == 3
    assert stripe.Event.list(delivery_success=True).data[0].type == "customer.created"
    stripe.WebhookEndpoint.delete(endpoint.id)
    stripe.Customer.create(email="b@example.com")
    sdk.control("POST", "clock", advance_s=3600)
    assert shop.received.empty()


def test_a_checkout_session_is_paid_on_its_page(sdk: Standalone) -> None:
    session = stripe.checkout.Session.create(
        mode="payment",
        success_url="https://shop.example/ok?session={CHECKOUT_SESSION_ID}",
        line_items=[
            {
                "price_data": {"currency": "eur", "unit_amount": 700, "product_data": {"name": "Tea"}},
                "quantity": 3,
            }
        ],
    )
    page = sdk.http.get(session.url)
    assert (page.status_code, page.headers["location"]) == (
        303,
        f"https://shop.example/ok?session={session.id}",
    )
    paid = stripe.checkout.Session.retrieve(session.id, expand=["line_items", "payment_intent"])
    assert (paid.payment_status, paid.payment_intent.amount, paid.line_items.data[0].quantity) == (
        "paid",
        2100,
        3,
    )


def test_three_d_secure_is_answered_on_its_page(sdk: Standalone) -> None:
    intent = stripe.PaymentIntent.create(
        **{**PAYMENT, "payment_method": "pm_card_threeDSecure2Required"},
        return_url="https://shop.example/back",
    )
    page = sdk.http.get(intent.next_action.redirect_to_url.url + "?outcome=succeeded")
    assert (page.status_code, page.headers["location"]) == (303, "https://shop.example/back")
    assert stripe.PaymentIntent.retrieve(intent.id).status == "succeeded"
