"""The HTTP face of the checkout."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import stripe
from fastapi import FastAPI, Request, Response

from targets.checkout.cache import open_redis
from targets.checkout.database import TRANSIENT, open_pool
from targets.checkout.orders import read_order
from targets.checkout.provider import authentic_event, open_stripe
from targets.checkout.reference.answers import AnswerCache
from targets.checkout.reference.checkout import UNAVAILABLE, Checkout
from targets.checkout.reference.payments import Payments
from targets.checkout.reference.webhook import receive
from targets.checkout.settings import Settings
from targets.checkout.shapes import BAD_SIGNATURE, MISSING_KEY, CheckoutRequest, Id, IdempotencyKey, Signature

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = Settings.from_env()
    pool = await open_pool(settings.database_url)
    redis = open_redis(settings.redis_url)
    async with open_stripe(settings) as client:
        app.state.settings = settings
        app.state.pool = pool
        app.state.payments = Payments(client)
        app.state.checkout = Checkout(pool, app.state.payments, AnswerCache(redis))
        yield
    await redis.aclose()
    await pool.close()


app = FastAPI(title="checkout", lifespan=lifespan)


@app.post("/checkout")
async def checkout(
    body: CheckoutRequest, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    if not idempotency_key:
        return MISSING_KEY.response()
    answer = await request.app.state.checkout.place(idempotency_key, body)
    response: Response = answer.response()
    return response


@app.get("/orders/{order_id}")
async def order(order_id: Id, request: Request) -> Response:
    try:
        answer = await read_order(request.app.state.pool, order_id)
    except TRANSIENT as error:
        log.warning("order %s: %r", order_id, error)
        answer = UNAVAILABLE
    return answer.response()


@app.post("/webhooks")
async def webhooks(request: Request, signature: Signature = None) -> Response:
    state = request.app.state
    try:
        event = authentic_event(await request.body(), signature, state.settings.stripe_webhook_secret)
    except (stripe.SignatureVerificationError, ValueError) as error:
        log.warning("webhook refused: %s", error)
        return BAD_SIGNATURE.response()
    answer = await receive(state.pool, state.payments, event)
    return answer.response()


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}
