"""The stripe client, and the check that a webhook is authentic."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import stripe

from targets.checkout.settings import Settings

PROVIDER_TIMEOUT_S = 3.0
# Stripe's own default: an older signature may be a replay.
SIGNATURE_TOLERANCE_S = 300


@asynccontextmanager
async def open_stripe(settings: Settings) -> AsyncIterator[stripe.StripeClient]:
    """The async client. The SDK repeats nothing by itself."""
    transport = stripe.HTTPXClient(
        timeout=PROVIDER_TIMEOUT_S, verify_ssl_certs=settings.stripe_api_base.startswith("https://")
    )
    try:
        yield stripe.StripeClient(
            settings.stripe_api_key,
            base_addresses={"api": settings.stripe_api_base},
            http_client=transport,
            max_network_retries=0,
        )
    finally:
        await transport.close_async()  # type: ignore[no-untyped-call]


def authentic_event(payload: bytes, signature: str | None, secret: str) -> dict[str, Any]:
    """The event in a webhook's raw body; raises stripe.SignatureVerificationError or ValueError."""
    stripe.WebhookSignature.verify_header(payload, signature, secret, SIGNATURE_TOLERANCE_S)
    event = json.loads(payload)
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        raise ValueError("a webhook body is a JSON object with an id")
    return event
