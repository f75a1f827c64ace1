"""The HTTP face of the checkout: charges and says "paid" at once; the worker finishes on provider events."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import stripe
from fastapi import BackgroundTasks, FastAPI, Request, Response

from targets.checkout.cache import open_redis
from targets.checkout.database import open_pool
from targets.checkout.orders import read_order
from targets.checkout.provider import authentic_event, open_stripe
from targets.checkout.settings import Settings
from targets.checkout.shapes import (
    BAD_SIGNATURE,
    MISSING_KEY,
    Answer,
    CheckoutRequest,
    Id,
    IdempotencyKey,
    Signature,
    order_answer,
    refusal,
)
from targets.checkout.staging import correlation, orders, queue
from targets.checkout.staging.idempotency import save_answer, saved_answer
from targets.checkout.staging.payments import PaymentDeclined, PaymentFailed, submit_payment

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = Settings.from_env()
    app.state.settings = settings
    app.state.pool = await open_pool(settings.database_url)
    app.state.redis = open_redis(settings.redis_url)
    async with open_stripe(settings) as client:
        app.state.stripe = client
        yield
    await app.state.redis.aclose()
    await app.state.pool.close()


app = FastAPI(title="checkout", lifespan=lifespan)


@app.post("/checkout")
async def checkout(
    body: CheckoutRequest, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    if not idempotency_key:
        return MISSING_KEY.response()
    pool = request.app.state.pool
    fingerprint = body.fingerprint()
    saved = await saved_answer(pool, idempotency_key, fingerprint)
    if saved:
        return saved.response()
    answer = await place(request.app.state, idempotency_key, body)
    if answer.status_code == 201:
        # Refusals are not kept: the customer may try another card.
        await save_answer(pool, idempotency_key, fingerprint, body.order_id, answer)
    return answer.response()


async def place(state: Any, key: str, body: CheckoutRequest) -> Answer:
    """Places the order and charges it."""
    available = await orders.available(state.pool, body.sku)
    if available is None:
        return refusal(422, "unknown_sku", f"There is no article {body.sku}.")
    if available < body.quantity:
        return refusal(409, "out_of_stock", f"{available} of {body.sku} left.")
    placed = await state.pool.fetchval(
        orders.PLACE, body.order_id, body.sku, body.quantity, body.amount, body.currency, body.email, key
    )
    if placed is None:
        order = await orders.find(state.pool, body.order_id)
        return refusal(409, "order_exists", f"Order {body.order_id} is {order['status']}.")
    try:
        intent = await submit_payment(
            state.stripe, body.order_id, body.amount, body.currency, body.payment_method
        )
    except PaymentDeclined as declined:
        if declined.payment_intent:
            await correlation.remember(state.redis, declined.payment_intent, body.order_id)
        await orders.set_status(state.pool, body.order_id, "failed", declined.code)
        return order_answer(402, body.order_id, "failed", code=declined.code)
    except PaymentFailed:
        await orders.set_status(state.pool, body.order_id, "failed", "payment_failed")
        return order_answer(402, body.order_id, "failed", code="payment_failed")
    await correlation.remember(state.redis, intent.id, body.order_id)
    if intent.status != "succeeded":
        await orders.set_status(state.pool, body.order_id, "processing")
        return order_answer(202, body.order_id, "processing", payment_intent=intent.id)
    try:
        await orders.mark_paid(state.pool, body.order_id, body.sku, body.quantity, intent.id)
    except asyncpg.CheckViolationError:
        await orders.set_status(state.pool, body.order_id, "failed", "out_of_stock")
        return order_answer(402, body.order_id, "failed", code="out_of_stock")
    return order_answer(201, body.order_id, "paid", payment_intent=intent.id)


@app.get("/orders/{order_id}")
async def order(order_id: Id, request: Request) -> Response:
    answer = await read_order(request.app.state.pool, order_id)
    return answer.response()


@app.post("/webhooks")
async def webhooks(request: Request, tasks: BackgroundTasks, signature: Signature = None) -> Response:
    state = request.app.state
    try:
        event = authentic_event(await request.body(), signature, state.settings.stripe_webhook_secret)
    except (stripe.SignatureVerificationError, ValueError) as error:
        log.warning("webhook refused: %s", error)
        return BAD_SIGNATURE.response()
    # Acknowledge quickly, as the provider recommends; the event is queued after the response.
    tasks.add_task(queue.push, state.redis, event)
    return Response('{"received": true}', media_type="application/json", background=tasks)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}
