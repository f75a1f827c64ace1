"""The reference checkout against a real PostgreSQL: whatever is lost, repeated or overtaken, money adds up."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from targets.checkout.reference.attempt import Outcome, Paid
from targets.checkout.reference.outbox import publish
from targets.checkout.reference.settlement import settle
from targets.checkout.reference.transactions import in_transaction, on_connection
from targets.checkout.reference.webhook import receive
from tests.targets.shop import BROKEN, LOST, Shop, open_shop

BAD_CARD = "pm_card_visa_chargeDeclined"


@pytest.fixture(scope="module")
def dsn(database: Callable[[], str]) -> str:
    return database()


def in_shop(test: Callable[[Shop], Awaitable[None]]) -> Callable[[str], None]:
    """Runs a coroutine test in a shop of its own."""

    def run(dsn: str) -> None:
        async def body() -> None:
            async with open_shop(dsn) as shop:
                await test(shop)

        asyncio.run(body())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def succeeded(attempt_id: str, intent: str = "pi_1", event_id: str = "evt_1") -> dict[str, Any]:
    return {
        "id": event_id,
        "type": "payment_intent.succeeded",
        "data": {
            "object": {
                "id": intent,
                "status": "succeeded",
                "amount_received": 4200,
                "currency": "eur",
                "metadata": {"attempt_id": attempt_id},
            }
        },
    }


@in_shop
async def test_a_purchase_is_paid_and_its_effects_happen_once(shop: Shop) -> None:
    answer = await shop.buy("o-1", "k-1")
    assert (answer.status_code, answer.body) == (
        201,
        '{"order_id": "o-1", "status": "paid", "payment_intent": "pi_1"}',
    )
    await shop.work()
    assert await shop.status("o-1") == "paid"
    assert await shop.effects("o-1") == (1, 1, 1)
    assert await shop.state("o-1") == ["event_published"]
    path = await shop.pool.fetch("select state from attempt_transitions order by seq")
    assert [row["state"] for row in path] == [
        "attempt_created",
        "payment_authorized",
        "inventory_reserved",
        "order_committed",
        "event_recorded",
        "event_published",
    ]


@in_shop
async def test_of_ten_requests_with_one_key_one_charges_and_all_agree_afterwards(shop: Shop) -> None:
    first = await asyncio.gather(*(shop.buy("o-1", "k-1") for _ in range(10)))
    assert shop.payments.requests == 1
    assert sorted({answer.status_code for answer in first}) in ([201], [201, 409])
    again = await asyncio.gather(*(shop.buy("o-1", "k-1") for _ in range(10)))
    assert {answer.body for answer in again} == {next(a.body for a in first if a.status_code == 201)}


@in_shop
async def test_of_ten_keys_for_one_order_one_charges(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.buy("o-1", f"k-{number}") for number in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert shop.payments.requests == 1


@in_shop
async def test_of_ten_orders_under_one_key_one_is_placed(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.buy(f"o-{number}", "k-1") for number in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 9
    assert await shop.pool.fetchval("select count(*) from orders") == 1


@in_shop
async def test_a_declined_order_is_paid_with_another_card_and_each_key_keeps_its_answer(shop: Shop) -> None:
    declined = await shop.buy("o-1", "k-1", card=BAD_CARD)
    assert (declined.status_code, declined.body) == (
        402,
        '{"order_id": "o-1", "status": "failed", "code": "card_declined"}',
    )
    assert (await shop.buy("o-1", "k-2")).status_code == 201
    assert await shop.buy("o-1", "k-1", card=BAD_CARD) == declined
    assert (await shop.buy("o-1", "k-3")).status_code == 409
    await shop.work()
    assert await shop.effects("o-1") == (1, 1, 1)


@in_shop
async def test_a_lost_answer_is_processing_until_the_worker_has_found_the_charge(shop: Shop) -> None:
    shop.payments.answers = [LOST]
    answer = await shop.buy("o-1", "k-1")
    assert (answer.status_code, answer.body) == (202, '{"order_id": "o-1", "status": "processing"}')
    assert (await shop.buy("o-1", "k-1")).status_code == 409
    await shop.work()
    assert (await shop.buy("o-1", "k-1")).status_code == 201
    assert shop.payments.requests == 1
    assert await shop.effects("o-1") == (1, 1, 1)


@in_shop
async def test_a_request_that_died_after_its_claim_is_finished_by_the_worker(shop: Shop) -> None:
    async def crash(attempt: object) -> Outcome:
        raise asyncio.CancelledError

    shop.payments.submit = crash  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await shop.buy("o-1", "k-1")
    await shop.work()
    assert await shop.status("o-1") == "paid"
    assert await shop.effects("o-1") == (1, 1, 1)
    assert len(shop.payments.kept()) == 1


@in_shop
async def test_the_last_ticket_is_sold_once_and_the_other_customer_gets_his_money_back(shop: Shop) -> None:
    shop.payments.answers = [LOST, LOST]
    await asyncio.gather(shop.buy("o-1", "k-1", sku="last-ticket"), shop.buy("o-2", "k-2", sku="last-ticket"))
    await shop.work()
    assert sorted([await shop.status("o-1"), await shop.status("o-2")]) == ["paid", "refunded"]
    assert len(shop.payments.kept()) == 1
    assert await shop.pool.fetchval("select available from stock where sku = 'last-ticket'") == 0
    loser = "o-1" if await shop.status("o-1") == "refunded" else "o-2"
    answer = await shop.buy(loser, f"k-{loser[-1]}", sku="last-ticket")
    assert (answer.status_code, answer.body) == (
        402,
        f'{{"order_id": "{loser}", "status": "refunded", "code": "out_of_stock"}}',
    )
    assert await shop.effects(loser) == (0, 0, 0)


@in_shop
async def test_callbacks_before_the_answer_and_again_and_again_change_nothing_twice(shop: Shop) -> None:
    async def callback_first(attempt: Any) -> Outcome:
        outcome = await shop.payments.charge(attempt)
        events = [succeeded(attempt.id, event_id=f"evt_{number}") for number in (1, 1, 2, 2)]
        received = await asyncio.gather(
            *(receive(shop.pool, shop.payments, event) for event in events)  # type: ignore[arg-type]
        )
        assert [answer.status_code for answer in received] == [200] * 4
        return outcome

    shop.payments.submit = callback_first  # type: ignore[method-assign]
    assert (await shop.buy("o-1", "k-1")).status_code == 201
    await shop.work()
    assert await shop.effects("o-1") == (1, 1, 1)


@in_shop
async def test_a_callback_that_is_faster_than_a_lost_answer_gives_the_customer_his_answer(shop: Shop) -> None:
    async def lost(attempt: Any) -> Outcome:
        await shop.payments.charge(attempt)
        await receive(shop.pool, shop.payments, succeeded(attempt.id))  # type: ignore[arg-type]
        return LOST

    shop.payments.submit = lost  # type: ignore[method-assign]
    assert (await shop.buy("o-1", "k-1")).status_code == 201


@in_shop
async def test_a_late_decline_of_the_first_card_does_not_touch_the_paid_order(shop: Shop) -> None:
    await shop.buy("o-1", "k-1", card=BAD_CARD)
    await shop.buy("o-1", "k-2")
    first = await shop.pool.fetchval(
        "select id::text from checkout_attempts where state = 'payment_declined'"
    )
    event = succeeded(first)
    event["type"] = "payment_intent.payment_failed"
    event["data"]["object"]["status"] = "requires_payment_method"
    assert (await receive(shop.pool, shop.payments, event)).status_code == 200  # type: ignore[arg-type]
    assert await shop.status("o-1") == "paid"


@in_shop
async def test_an_unresolved_payment_closes_the_order_and_money_that_appears_later_goes_back(
    shop: Shop,
) -> None:
    shop.payments.answers = [BROKEN] * 7
    assert (await shop.buy("o-1", "k-1")).status_code == 202
    await shop.work(passes=6)
    answer = await shop.buy("o-1", "k-1")
    assert (answer.status_code, answer.body) == (
        402,
        '{"order_id": "o-1", "status": "failed", "code": "payment_unresolved"}',
    )
    assert (await shop.buy("o-1", "k-2")).status_code == 409
    key = await shop.pool.fetchval("select provider_key from checkout_attempts")
    shop.payments.charged[key] = Paid("pi_late", 4200, "eur")
    await shop.work()
    assert shop.payments.refunds == ["pi_late"]
    assert await shop.state("o-1") == ["compensation_complete"]
    assert await shop.status("o-1") == "failed"
    assert await shop.buy("o-1", "k-1") == answer
    assert await shop.effects("o-1") == (0, 0, 0)


@in_shop
async def test_a_connection_that_breaks_before_the_commit_costs_a_second_try(shop: Shop) -> None:
    shop.payments.answers = [LOST]
    await shop.buy("o-1", "k-1")
    attempt = await shop.pool.fetchval("select id::text from checkout_attempts")
    tries = 0

    async def work(connection: Any) -> None:
        nonlocal tries
        tries += 1
        await settle(connection, attempt, Paid("pi_1", 4200, "eur"))
        if tries == 1:
            async with shop.pool.acquire() as other:
                pid = connection.get_server_pid()
                await other.execute("select pg_terminate_backend($1)", pid)

    await in_transaction(shop.pool, work)
    assert tries == 2
    assert await shop.status("o-1") == "paid"
    await shop.work()
    assert await shop.effects("o-1") == (1, 1, 1)


@in_shop
async def test_a_commit_whose_answer_was_lost_is_not_done_again(shop: Shop) -> None:
    shop.payments.answers = [LOST]
    await shop.buy("o-1", "k-1")
    attempt = await shop.pool.fetchval("select id::text from checkout_attempts")
    for _ in range(2):
        answer = await in_transaction(
            shop.pool, lambda connection: settle(connection, attempt, Paid("pi_1", 4200, "eur"))
        )
        assert answer is not None
        assert answer.status_code == 201
    assert await shop.effects("o-1") == (1, 0, 0)


@in_shop
async def test_an_event_that_is_published_again_by_force_reaches_nobody_twice(shop: Shop) -> None:
    await shop.buy("o-1", "k-1")
    for _ in range(2):
        await shop.pool.execute("update outbox set published_at = null")
        await on_connection(shop.pool, lambda connection: publish(connection, 1))
    assert await shop.effects("o-1") == (1, 1, 1)


@in_shop
async def test_what_cannot_be_bought_is_refused_before_any_money_moves(shop: Shop) -> None:
    sold_out = await shop.buy("o-1", "k-1", sku="sold-out")
    assert (sold_out.status_code, sold_out.body) == (
        409,
        '{"code": "out_of_stock", "message": "0 of sold-out left."}',
    )
    unknown = await shop.buy("o-1", "k-1", sku="nothing")
    assert (unknown.status_code, unknown.body) == (
        422,
        '{"code": "unknown_sku", "message": "There is no article nothing."}',
    )
    assert shop.payments.requests == 0
    assert (await shop.buy("o-1", "k-1")).status_code == 201


@in_shop
async def test_an_event_about_an_attempt_we_never_made_is_acknowledged(shop: Shop) -> None:
    event = succeeded(str(uuid.uuid4()))
    assert (await receive(shop.pool, shop.payments, event)).status_code == 200  # type: ignore[arg-type]
    assert await shop.pool.fetchval("select count(*) from orders") == 0
