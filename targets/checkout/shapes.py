"""What goes over HTTP: the order a customer places, and the answers of the service."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Printable ASCII without blanks: what ids of ours and of the provider are made of.
Id = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]

IdempotencyKey = Annotated[str | None, Header(max_length=255)]
Signature = Annotated[str | None, Header(alias="Stripe-Signature")]


class CheckoutRequest(BaseModel):
    """One order and how it is paid. ``amount`` is the whole order in minor units of ``currency``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: Id
    sku: Id
    quantity: Annotated[int, Field(gt=0, le=1_000)]
    amount: Annotated[int, Field(gt=0, le=99_999_999)]
    currency: Annotated[str, StringConstraints(pattern="^[a-z]{3}$")]
    payment_method: Id
    email: Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^\x00-\x20]+$")]

    def fingerprint(self) -> str:
        """Equal for two requests exactly when they ask for the same thing."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


# Status codes of answers that never change again for their Idempotency-Key: paid, or not paid.
FINAL = frozenset({201, 402})


@dataclass(frozen=True, slots=True)
class Answer:
    """A status code and a JSON text, kept as text so that a replay is the same byte for byte."""

    status_code: int
    body: str
    retry_after_s: int | None = None

    def response(self) -> Response:
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return Response(self.body, self.status_code, headers, media_type="application/json")


def order_answer(
    status_code: int,
    order_id: str,
    status: str,
    *,
    payment_intent: str | None = None,
    code: str | None = None,
) -> Answer:
    """The state of an order; ``code`` says why it is not paid."""
    body: dict[str, str | None] = {"order_id": order_id, "status": status}
    if payment_intent is not None:
        body["payment_intent"] = payment_intent
    if code is not None:
        body["code"] = code
    return Answer(status_code, json.dumps(body))


def refusal(status_code: int, code: str, message: str, *, retry_after_s: int | None = None) -> Answer:
    """An answer that changed nothing: what is wrong, and what to do next."""
    return Answer(status_code, json.dumps({"code": code, "message": message}), retry_after_s)


MISSING_KEY = refusal(
    400,
    "idempotency_key_missing",
    "Send an Idempotency-Key header: a new one per purchase, the same one per retry.",
)
KEY_REUSED = refusal(
    422, "idempotency_key_reused", "This Idempotency-Key belongs to another request body; send a new key."
)
BAD_SIGNATURE = refusal(
    400, "signature_invalid", "The Stripe-Signature header does not fit this body, this secret or this time."
)
