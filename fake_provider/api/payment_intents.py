"""Payment intents as clients see them."""

from fake_provider.account import Account
from fake_provider.api import charging, customers, paying
from fake_provider.api.intent_shape import CANCELABLE, CONFIRMABLE, ECHO
from fake_provider.call import Call
from fake_provider.parameters import merge_metadata
from fake_provider.resource import Resource


def create(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents, with `confirm` also the first attempt to pay."""
    params = call.params
    if params.get("confirm") and not (params.get("payment_method") or params.get("payment_method_data")):
        raise paying.needs_method()
    intent = paying.new_intent(account, params)
    if params.get("confirm"):
        paying.confirm_intent(account, intent, params)
    return intent


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/payment_intents/{id}."""
    return account.intents.find(call.object_id)


def update(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents/{id}: before it is paid almost everything, afterwards only what moves no money."""
    intent, params = account.intents.find(call.object_id), call.params
    moves_money = {"amount", "currency", "payment_method", "payment_method_data", "customer"} & set(params)
    if moves_money and intent["status"] not in CONFIRMABLE:
        raise paying.unexpected(
            intent,
            f"This PaymentIntent's {sorted(moves_money)[0]} could not be updated because it has a status of "
            f"{intent['status']}. You may only update the {sorted(moves_money)[0]} of a PaymentIntent with one of "
            f"the following statuses: {', '.join(CONFIRMABLE)}.",
        )
    amount = params.get("amount") or intent["amount"]
    currency = params.get("currency") or intent["currency"]
    charging.check_amount(account, amount, currency)
    changes = ECHO.of(params)
    if params.get("customer"):
        changes["customer"] = customers.living(account, params["customer"])["id"]
    method = paying.given_method(account, params)
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
        raise paying.unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously "
            "confirmed.",
        )
    if status not in CONFIRMABLE:
        raise paying.unexpected(
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent with "
            f"one of the following statuses may be confirmed: {', '.join(CONFIRMABLE)}.",
        )
    method = paying.given_method(account, params)
    if method is None and intent["payment_method"] is None:
        raise paying.needs_method()
    changes = {
        name: params[name] for name in ("receipt_email", "shipping", "capture_method") if params.get(name)
    }
    if method is not None:
        changes["payment_method"] = method["id"]
    intent.change(**changes)
    paying.confirm_intent(account, intent, params)
    return intent


def capture(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents/{id}/capture: once, up to the amount held; the rest is released."""
    intent, params = account.intents.find(call.object_id), call.params
    if intent["status"] != "requires_capture":
        again = intent["status"] == "succeeded"
        raise paying.unexpected(
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
    paying.capture_intent(account, intent, amount)
    return intent


def cancel(account: Account, call: Call) -> Resource:
    """POST /v1/payment_intents/{id}/cancel: releases a hold, if there is one."""
    intent = account.intents.find(call.object_id)
    if intent["status"] not in CANCELABLE:
        raise paying.unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            f"PaymentIntent with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
        )
    paying.cancel_intent(account, intent, call.params.get("cancellation_reason"))
    return intent
