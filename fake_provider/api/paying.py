"""How an intent is paid: the state machine of one payment, over as many charges as it takes.

    requires_payment_method -> requires_confirmation -> (requires_action | processing)
        -> requires_capture -> succeeded

From all but `processing` and `succeeded` it can be canceled. A decline leads back to requires_payment_method.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from fake_provider.account import Account
from fake_provider.api import charging, customers, payment_methods
from fake_provider.api.intent_shape import ECHO, TEMPLATE
from fake_provider.cards import Decline, decline_of
from fake_provider.errors import ApiError
from fake_provider.parameters import merge_metadata
from fake_provider.resource import Resource


@dataclass(frozen=True, slots=True)
class Later:
    """When a processing payment ends, and how: `succeeded`, anything else fails."""

    delay_us: int
    outcome: str


def new_intent(account: Account, params: dict[str, Any]) -> Resource:
    """A new intent from the checked parameters of its creation, not confirmed."""
    customer = customers.living(account, params["customer"]) if params.get("customer") else None
    method = given_method(account, params)
    intent_id = account.ids.new("pi")
    members = ECHO.of(params)
    members.update(
        id=intent_id,
        amount=params["amount"],
        currency=params["currency"].lower(),
        customer=customer and customer["id"],
        created=account.now_s,
        client_secret=f"{intent_id}_secret_{account.ids.secret()}",
        metadata=merge_metadata({}, params.get("metadata")),
        payment_method=method and method["id"],
        capture_method=params.get("capture_method") or "automatic",
        confirmation_method=params.get("confirmation_method") or "automatic",
        payment_method_types=params.get("payment_method_types") or ["card"],
        automatic_payment_methods=_automatic(params.get("automatic_payment_methods")),
        status="requires_confirmation" if method else "requires_payment_method",
    )
    intent = account.intents.put(Resource({**TEMPLATE, **members}))
    account.emit("payment_intent.created", intent)
    return intent


def given_method(account: Account, params: dict[str, Any]) -> Resource | None:
    """The payment method that the parameters name or describe, made if need be."""
    if params.get("payment_method_data"):
        return payment_methods.make(account, params["payment_method_data"])
    name = params.get("payment_method")
    return payment_methods.resolve(account, name) if name else None


def _automatic(given: dict[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    enabled = str(given.get("enabled", "true")).lower() in ("true", "1")
    return {**given, "enabled": enabled, "allow_redirects": given.get("allow_redirects", "always")}


def needs_method() -> ApiError:
    """The 400 answer of a confirmation without anything to pay with."""
    return ApiError(
        400,
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
        "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
        "payment method or ConfirmationToken.",
        code="payment_intent_unexpected_state",
    )


def unexpected(intent: Resource, message: str) -> ApiError:
    """The 400 answer of an operation that the intent's status forbids; it carries the whole intent."""
    return ApiError(400, message, code="payment_intent_unexpected_state", payment_intent=intent)


def confirm_intent(account: Account, intent: Resource, params: dict[str, Any]) -> None:
    """Tries to pay with the intent's method; raises the 402 answer of a decline."""
    method = account.payment_methods[intent["payment_method"]]
    off_session = str(params.get("off_session") or "false").lower() not in ("false", "0")
    decline = charging.refusal(account, method, off_session=off_session)
    done = intent["id"] in account.authenticated
    account.authenticated.discard(intent["id"])
    wants_action = account.misbehaves("require_action") or (
        account.cards[method["id"]].authenticates and not off_session
    )
    if decline is None and wants_action and not done:
        if params.get("error_on_requires_action"):
            decline = decline_of("authentication_required", "authentication_required")
        else:
            _require_action(account, intent, params.get("return_url"))
            return
    scripted = account.misbehaves("settle_later")
    later = Later(scripted.parameter("delay_us"), scripted.parameter("outcome")) if scripted else None
    pay(account, intent, decline, merchant_initiated=off_session, later=later)
    if decline is not None:
        raise charging.card_error(decline, account.charges[intent["latest_charge"]], intent)


def _require_action(account: Account, intent: Resource, return_url: str | None) -> None:
    url = f"{account.base_url}/_control/authenticate/{intent['id']}"
    action = (
        {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
        if return_url
        else {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
        }
    )
    intent.change(status="requires_action", next_action=action, last_payment_error=None)
    account.emit("payment_intent.requires_action", intent)


def authenticate(account: Account, intent: Resource, *, succeeded: bool) -> Resource:
    """What the customer does on the bank's page; there is no API call for it. A manual confirmation must then
    confirm again."""
    if intent["status"] != "requires_action":
        raise unexpected(
            intent,
            f"PaymentIntent {intent['id']} has a status of {intent['status']}; only requires_action can be "
            "authenticated.",
        )
    if not succeeded:
        error = {
            "code": "payment_intent_authentication_failure",
            "type": "invalid_request_error",
            "payment_method": None,
            "message": "The provided PaymentMethod has failed authentication. You can provide "
            "payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
        }
        intent.change(
            status="requires_payment_method", next_action=None, last_payment_error=error, payment_method=None
        )
        account.emit("payment_intent.payment_failed", intent)
    elif intent["confirmation_method"] == "manual":
        intent.change(status="requires_confirmation", next_action=None)
        account.authenticated.add(intent["id"])
    else:
        method = account.payment_methods[intent["payment_method"]]
        pay(account, intent, account.cards[method["id"]].decline)
    return intent


def pay(
    account: Account,
    intent: Resource,
    decline: Decline | None,
    *,
    merchant_initiated: bool = False,
    later: Later | None = None,
) -> None:
    """One charge for the intent, and the intent's new status; `later` keeps it `processing` for a while."""
    method = account.payment_methods[intent["payment_method"]]
    members = {
        name: intent[name]
        for name in (
            "amount",
            "currency",
            "customer",
            "description",
            "metadata",
            "receipt_email",
            "shipping",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "transfer_group",
            "on_behalf_of",
        )
    }
    charge = charging.authorize(
        account,
        method,
        {**members, "payment_intent": intent["id"]},
        decline,
        charging.Terms(
            capture=intent["capture_method"] != "manual",
            merchant_initiated=merchant_initiated,
            pending=decline is None and later is not None,
            expired=partial(_cancel, account, intent, "automatic"),
        ),
    )
    intent.change(latest_charge=charge["id"], next_action=None)
    if decline is not None:
        _fail(account, intent, decline, charge)
    elif later is not None:
        intent.change(status="processing", last_payment_error=None)
        account.emit("payment_intent.processing", intent)
        account.after(later.delay_us, partial(_finish, account, intent, charge, later.outcome))
    elif charge["captured"]:
        _succeed(account, intent, charge)
    else:
        intent.change(status="requires_capture", amount_capturable=intent["amount"], last_payment_error=None)
        account.emit("payment_intent.amount_capturable_updated", intent)


def _succeed(account: Account, intent: Resource, charge: Resource) -> None:
    intent.change(
        status="succeeded",
        amount_received=charge["amount_captured"],
        amount_capturable=0,
        last_payment_error=None,
        processing=None,
    )
    account.emit("payment_intent.succeeded", intent)


def _fail(account: Account, intent: Resource, decline: Decline, charge: Resource) -> None:
    error: dict[str, Any] = {
        "charge": charge["id"],
        "code": decline.code,
        "message": decline.message,
        "type": "card_error",
        "payment_method": dict(account.payment_methods[charge["payment_method"]]),
    }
    if decline.decline_code:
        error["decline_code"] = decline.decline_code
    intent.change(
        status="requires_payment_method", payment_method=None, last_payment_error=error, processing=None
    )
    account.emit("payment_intent.payment_failed", intent)


def _finish(account: Account, intent: Resource, charge: Resource, outcome: str) -> None:
    """Ends a payment that was processing."""
    if charge["status"] != "pending":
        return
    if outcome == "succeeded":
        charging.settle(account, charge)
        _succeed(account, intent, charge)
    else:
        decline = decline_of("card_declined", "generic_decline")
        charging.fail(account, charge, decline)
        _fail(account, intent, decline, charge)


def capture_intent(account: Account, intent: Resource, amount: int) -> None:
    """Takes `amount` of the intent's hold."""
    charge = account.charges[intent["latest_charge"]]
    charging.capture_charge(account, charge, amount)
    _succeed(account, intent, charge)


def cancel_intent(account: Account, intent: Resource, reason: str | None) -> None:
    """Cancels an intent whose status allows it."""
    if intent["status"] == "requires_capture":
        charging.release(account, account.charges[intent["latest_charge"]])
    _cancel(account, intent, reason)


def _cancel(account: Account, intent: Resource, reason: str | None) -> None:
    intent.change(
        status="canceled",
        canceled_at=account.now_s,
        cancellation_reason=reason,
        amount_capturable=0,
        next_action=None,
    )
    account.emit("payment_intent.canceled", intent)
