"""Payment intents: the state machine of one payment, over as many charges as it takes.

requires_payment_method -> requires_confirmation -> (requires_action | processing) -> requires_capture ->
succeeded and from all but the last, and not while processing: canceled. A decline leads back to
requires_payment_method."""

from functools import partial
from typing import Any

from fake_provider.account import Account
from fake_provider.api import charging, customers, payment_methods
from fake_provider.call import Call
from fake_provider.cards import Decline, decline_of
from fake_provider.errors import ApiError
from fake_provider.parameters import (
    Spec,
    boolean,
    choice,
    integer,
    listing,
    merge_metadata,
    metadata,
    table,
    text,
    texts,
    unknown_to,
)
from fake_provider.resource import Resource

_FIELDS: dict[str, Any] = {
    "amount": integer(),
    "currency": text,
    "customer": text,
    "payment_method": text,
    "payment_method_data": table,
    "payment_method_types": texts,
    "payment_method_options": table,
    "metadata": metadata,
    "description": text,
    "receipt_email": text,
    "shipping": table,
    "statement_descriptor": text,
    "statement_descriptor_suffix": text,
    "setup_future_usage": choice("off_session", "on_session"),
    "application_fee_amount": integer(0),
    "transfer_data": table,
}
_CONFIRM: dict[str, Any] = {
    "off_session": text,
    "return_url": text,
    "error_on_requires_action": boolean,
    "mandate_data": table,
}
CREATE = Spec(
    "amount",
    "currency",
    **_FIELDS,
    **_CONFIRM,
    confirm=boolean,
    automatic_payment_methods=table,
    capture_method=choice("automatic", "automatic_async", "manual"),
    confirmation_method=choice("automatic", "manual"),
    expand=listing,
)
UPDATE = Spec(**_FIELDS)
CONFIRM = Spec(
    **_CONFIRM,
    payment_method=text,
    payment_method_data=table,
    receipt_email=text,
    shipping=table,
    capture_method=choice("automatic", "automatic_async", "manual"),
)
CAPTURE = Spec(amount_to_capture=integer(1), metadata=metadata, final_capture=boolean)
CANCEL = Spec(cancellation_reason=choice("duplicate", "fraudulent", "requested_by_customer", "abandoned"))

SETTABLE = frozenset(
    {
        "description",
        "receipt_email",
        "setup_future_usage",
        "shipping",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_group",
        "transfer_data",
        "payment_method_options",
        "application_fee_amount",
        "on_behalf_of",
    }
)
COMMANDS = frozenset(
    {
        "confirm",
        "expand",
        "off_session",
        "return_url",
        "error_on_requires_action",
        "payment_method_data",
        "mandate_data",
        "mandate",
        "use_stripe_sdk",
        "radar_options",
        "intent",
        "client_secret",
        "final_capture",
        "amount_to_capture",
    }
)
TEMPLATE: dict[str, Any] = {
    "id": "",
    "object": "payment_intent",
    "amount": 0,
    "amount_capturable": 0,
    "amount_details": {"tip": {}},
    "amount_received": 0,
    "application": None,
    "application_fee_amount": None,
    "automatic_payment_methods": None,
    "canceled_at": None,
    "cancellation_reason": None,
    "capture_method": "automatic",
    "client_secret": "",
    "confirmation_method": "automatic",
    "created": 0,
    "currency": "",
    "customer": None,
    "description": None,
    "last_payment_error": None,
    "latest_charge": None,
    "livemode": False,
    "metadata": {},
    "next_action": None,
    "on_behalf_of": None,
    "payment_method": None,
    "payment_method_configuration_details": None,
    "payment_method_options": {},
    "payment_method_types": ["card"],
    "processing": None,
    "receipt_email": None,
    "review": None,
    "setup_future_usage": None,
    "shipping": None,
    "source": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "status": "requires_payment_method",
    "transfer_data": None,
    "transfer_group": None,
}
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")


def create(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents, with `confirm` also the first attempt to pay."""
    params = call.params
    charging.check_amount(account, params["amount"], params["currency"])
    customer = customers.living(account, params["customer"]) if params.get("customer") else None
    if params.get("confirm") and not (params.get("payment_method") or params.get("payment_method_data")):
        raise _needs_method()
    method = _given_method(account, params)
    intent_id = account.ids.new("pi")
    members = unknown_to(TEMPLATE, params, SETTABLE, COMMANDS)
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
    if params.get("confirm"):
        _confirm(account, intent, params)
    return intent


def _given_method(account: Account, params: dict[str, Any]) -> Resource | None:
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


def _needs_method() -> ApiError:
    return ApiError(
        400,
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
        "update the "
        "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with "
        "a payment "
        "method or ConfirmationToken.",
        code="payment_intent_unexpected_state",
    )


def unexpected(intent: Resource, message: str) -> ApiError:
    """The 400 answer of an operation that the intent's status forbids; it carries the whole intent."""
    return ApiError(400, message, code="payment_intent_unexpected_state", payment_intent=intent)


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/payment_intents/{id}."""
    return account.intents.find(call.object_id)


def update(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents/{id}: before it is paid almost everything, afterwards only what moves no
    money."""
    intent, params = account.intents.find(call.object_id), call.params
    moves_money = {"amount", "currency", "payment_method", "payment_method_data", "customer"} & set(params)
    if moves_money and intent["status"] not in CONFIRMABLE:
        raise unexpected(
            intent,
            f"This PaymentIntent's {sorted(moves_money)[0]} could not be updated because it has a status of "
            f"{intent['status']}. You may only update the {sorted(moves_money)[0]} of a PaymentIntent "
            f"with one "
            f"of the following statuses: {', '.join(CONFIRMABLE)}.",
        )
    amount = params.get("amount") or intent["amount"]
    currency = params.get("currency") or intent["currency"]
    charging.check_amount(account, amount, currency)
    changes = unknown_to(TEMPLATE, params, SETTABLE, COMMANDS)
    if params.get("customer"):
        changes["customer"] = customers.living(account, params["customer"])["id"]
    method = _given_method(account, params)
    if method is not None:
        changes.update(payment_method=method["id"], status="requires_confirmation", next_action=None)
    if params.get("payment_method_types"):
        changes["payment_method_types"] = params["payment_method_types"]
    intent.change(
        **changes,
        amount=amount,
        currency=currency.lower(),
        metadata=merge_metadata(intent["metadata"], params.get("metadata")),
    )
    return intent


def confirm(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents/{id}/confirm."""
    intent, params = account.intents.find(call.object_id), call.params
    status = intent["status"]
    if status == "succeeded":
        raise unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed.",
        )
    if status not in CONFIRMABLE:
        raise unexpected(
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a "
            f"PaymentIntent with "
            f"one of the following statuses may be confirmed: {', '.join(CONFIRMABLE)}.",
        )
    method = _given_method(account, params)
    if method is None and intent["payment_method"] is None:
        raise _needs_method()
    changes = {
        name: params[name] for name in ("receipt_email", "shipping", "capture_method") if params.get(name)
    }
    if method is not None:
        changes["payment_method"] = method["id"]
    intent.change(**changes)
    _confirm(account, intent, params)
    return intent


def _confirm(account: Account, intent: Resource, params: dict[str, Any]) -> None:
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
    pay(account, intent, decline, merchant_initiated=off_session)
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
    """What the customer does on the bank's page; there is no API call for it. A manual confirmation must
    then confirm again."""
    if intent["status"] != "requires_action":
        raise unexpected(
            intent,
            f"PaymentIntent {intent['id']} has a status of {intent['status']}; only requires_action can "
            f"be authenticated.",
        )
    if not succeeded:
        error = {
            "code": "payment_intent_authentication_failure",
            "type": "invalid_request_error",
            "payment_method": None,
            "message": "The provided PaymentMethod has failed authentication. You can provide "
            "payment_method_data or a new "
            "PaymentMethod to attempt to fulfill this PaymentIntent again.",
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
    account: Account, intent: Resource, decline: Decline | None, *, merchant_initiated: bool = False
) -> None:
    """One charge for the intent, and the intent's new status."""
    method = account.payment_methods[intent["payment_method"]]
    later = account.misbehaves("settle_later") if decline is None else None
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
            pending=later is not None,
            expired=partial(_cancel, account, intent, "automatic"),
        ),
    )
    intent.change(latest_charge=charge["id"], next_action=None)
    if decline is not None:
        _fail(account, intent, decline, charge)
    elif later is not None:
        intent.change(status="processing", last_payment_error=None)
        account.emit("payment_intent.processing", intent)
        account.after(
            later.parameter("delay_us"), partial(_finish, account, intent, charge, later.parameter("outcome"))
        )
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


def capture(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents/{id}/capture: once, up to the amount held; the rest is released."""
    intent, params = account.intents.find(call.object_id), call.params
    if intent["status"] != "requires_capture":
        again = intent["status"] == "succeeded"
        raise unexpected(
            intent,
            "This PaymentIntent could not be captured because it has "
            + (
                "already been captured."
                if again
                else f"a status of {intent['status']}. Only a PaymentIntent with one of the following "
                "statuses may be captured: requires_capture."
            ),
        )
    amount = charging.check_capture_amount(intent["amount_capturable"], params.get("amount_to_capture"))
    intent.change(metadata=merge_metadata(intent["metadata"], params.get("metadata")))
    capture_intent(account, intent, amount)
    return intent


def capture_intent(account: Account, intent: Resource, amount: int) -> None:
    """Takes `amount` of the intent's hold."""
    charge = account.charges[intent["latest_charge"]]
    charging.capture_charge(account, charge, amount)
    _succeed(account, intent, charge)


def cancel(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents/{id}/cancel: releases a hold, if there is one."""
    intent = account.intents.find(call.object_id)
    if intent["status"] not in CANCELABLE:
        raise unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            f"PaymentIntent with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
        )
    cancel_intent(account, intent, call.params.get("cancellation_reason"))
    return intent


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
