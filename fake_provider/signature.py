"""Webhook signatures: `t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "<t>.<body>")>`, one v1 per living secret,
and a fake v0."""

import hashlib
import hmac
from collections.abc import Iterable


def sign(secrets: Iterable[str], body: bytes, at_s: int) -> str:
    """The value of `Stripe-Signature` for a body that leaves at `at_s`."""
    signed = b"%d.%b" % (at_s, body)
    parts = [
        f"t={at_s}",
        *(f"v1={_digest(secret, signed)}" for secret in secrets),
        f"v0={_digest('v0', signed)}",
    ]
    return ",".join(parts)


def _digest(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
