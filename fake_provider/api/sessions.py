"""Checkout sessions in payment mode: a page of the provider on which a customer pays.

There is no page: a control call says that the customer paid (`complete`). The payment intent comes into being
then, as it does at the real provider.
"""

from functools import partial
from typing import Any

from fake_provider.account import Account
from fake_provider.api import charging, customers, listing, paying, payment_methods
from fake_provider.call import Call
from fake_provider.errors import ApiError
from fake_provider.parameters import (
    Echo,
    Spec,
    choice,
    integer,
    merge_metadata,
    metadata,
    table,
    text,
    texts,
)
from fake_provider.parameters import (
    listing as items,
)
from fake_provider.resource import Resource

CREATE = Spec(
    mode=text,
    line_items=items,
    success_url=text,
    cancel_url=text,
    return_url=text,
    customer=text,
    customer_email=text,
    client_reference_id=text,
    metadata=metadata,
    payment_intent_data=table,
    payment_method_types=texts,
    expires_at=integer(0),
    currency=text,
    ui_mode=choice("hosted", "embedded", "custom", "elements", "embedded_page", "form", "hosted_page"),
)
UPDATE = Spec(metadata=metadata)
_INTENT = Spec(
    metadata=metadata, description=text, capture_method=choice("automatic", "automatic_async", "manual")
)
_QUANTITY = integer(0, 999_999)
_UNIT = integer(0, 99_999_999)
SETTABLE = frozenset(
    {
        "success_url",
        "cancel_url",
        "return_url",
        "customer_email",
        "client_reference_id",
        "locale",
        "submit_type",
    }
)
COMMANDS = frozenset({"expand", "line_items", "payment_intent_data", "session"})
TEMPLATE: dict[str, Any] = {
    "id": "",
    "object": "checkout.session",
    "adaptive_pricing": {"enabled": False},
    "after_expiration": None,
    "allow_promotion_codes": None,
    "amount_subtotal": 0,
    "amount_total": 0,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "billing_address_collection": None,
    "cancel_url": None,
    "client_reference_id": None,
    "client_secret": None,
    "collected_information": None,
    "consent": None,
    "consent_collection": None,
    "created": 0,
    "currency": "",
    "currency_conversion": None,
    "custom_fields": [],
    "custom_text": {
        "after_submit": None,
        "shipping_address": None,
        "submit": None,
        "terms_of_service_acceptance": None,
    },
    "customer": None,
    "customer_creation": "if_required",
    "customer_details": None,
    "customer_email": None,
    "discounts": [],
    "expires_at": 0,
    "invoice": None,
    "invoice_creation": None,
    "livemode": False,
    "locale": None,
    "metadata": {},
    "mode": "payment",
    "payment_intent": None,
    "payment_link": None,
    "payment_method_collection": "if_required",
    "payment_method_configuration_details": None,
    "payment_method_options": {},
    "payment_method_types": ["card"],
    "payment_status": "unpaid",
    "permissions": None,
    "phone_number_collection": {"enabled": False},
    "recovered_from": None,
    "redirect_on_completion": None,
    "return_url": None,
    "saved_payment_method_options": None,
    "setup_intent": None,
    "shipping_address_collection": None,
    "shipping_cost": None,
    "shipping_options": [],
    "status": "open",
    "submit_type": None,
    "subscription": None,
    "success_url": None,
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    "ui_mode": "hosted_page",
    "url": None,
    "wallet_options": None,
}
ECHO = Echo(TEMPLATE, SETTABLE, COMMANDS)


def create(account: Account, call: Call) -> Resource:
    """POST /v1/checkout/sessions."""
    params = call.params
    mode = params.get("mode") or "payment"
    if mode != "payment":
        raise ApiError(
            400, f"The mode '{mode}' is not modelled by this provider; use 'payment'.", param="mode"
        )
    if not params.get("line_items"):
        raise ApiError(
            400, "Missing required param: line_items.", code="parameter_missing", param="line_items"
        )
    customer = customers.living(account, params["customer"]) if params.get("customer") else None
    _INTENT.read(params.get("payment_intent_data") or {})
    lines = [_line(account, position, item) for position, item in enumerate(params["line_items"])]
    currency = lines[0]["currency"]
    if any(line["currency"] != currency for line in lines):
        raise ApiError(400, "All line items of a session must have the same currency.", param="line_items")
    total = sum(line["amount_total"] for line in lines)
    charging.check_amount(account, total, currency)
    session_id = account.ids.new("cs_test")
    members = ECHO.of(params)
    members.update(
        id=session_id,
        amount_subtotal=total,
        amount_total=total,
        created=account.now_s,
        currency=currency,
        customer=customer and customer["id"],
        expires_at=_expiry(account, params.get("expires_at")),
        metadata=merge_metadata({}, params.get("metadata")),
        payment_method_types=params.get("payment_method_types") or ["card"],
        url=f"{account.base_url}/_control/pay/{session_id}",
    )
    session = account.sessions.put(Resource({**TEMPLATE, **members}))
    account.line_items[session_id] = {
        "object": "list",
        "data": lines,
        "has_more": False,
        "url": f"/v1/checkout/sessions/{session_id}/line_items",
    }
    account.intent_data[session_id] = params.get("payment_intent_data") or {}
    account.timers.at(session["expires_at"] * 1_000_000, partial(_expire, account, session))
    return session


def _expiry(account: Account, wanted_s: int | None) -> int:
    """When the session expires, in Unix seconds: from half an hour to a day from now."""
    longest_s = account.now_s + account.profile.session_us // 1_000_000
    if wanted_s is None:
        return longest_s
    if not account.now_s + 1800 <= wanted_s <= longest_s:
        raise ApiError(
            400,
            "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from Checkout Session "
            "creation.",
            param="expires_at",
        )
    return wanted_s


def _line(account: Account, position: int, item: Any) -> dict[str, Any]:
    """One line item, which must carry its own price: products and prices are not modelled."""
    where = f"line_items[{position}]"
    if not isinstance(item, dict):
        raise ApiError(400, "Invalid object", param=where)
    price = item.get("price_data")
    if not isinstance(price, dict):
        raise ApiError(
            400,
            "This provider knows no prices: give each line item a `price_data` with `currency` and `unit_amount`.",
            param=f"{where}[price_data]",
        )
    if "currency" not in price or "unit_amount" not in price:
        missing = "currency" if "currency" not in price else "unit_amount"
        raise ApiError(
            400,
            f"Missing required param: {where}[price_data][{missing}].",
            code="parameter_missing",
            param=f"{where}[price_data][{missing}]",
        )
    quantity = _QUANTITY(f"{where}[quantity]", item.get("quantity", "1")) or 1
    amount = (_UNIT(f"{where}[price_data][unit_amount]", price["unit_amount"]) or 0) * quantity
    product = price.get("product_data")
    return {
        "id": account.ids.new("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": str(price["currency"]).lower(),
        "description": product.get("name") if isinstance(product, dict) else None,
        "price": None,
        "quantity": quantity,
    }


def complete(account: Account, session: Resource, payment_method: str, outcome: str) -> Resource:
    """What the customer does on the page. outcome: `paid`; `succeeded` or `failed`: it first is processing,
    then ends so.

    A declined card leaves the session open, as the page would ask for another card.
    """
    if session["status"] != "open":
        raise ApiError(
            400, f"Session {session['id']} has a status of {session['status']}; only an open one can be paid."
        )
    data = _INTENT.read(account.intent_data[session["id"]])
    intent = account.intents.get(session["payment_intent"] or "")
    if intent is None:
        intent = paying.new_intent(
            account,
            {
                **data,
                "amount": session["amount_total"],
                "currency": session["currency"],
                "customer": session["customer"],
                "receipt_email": session["customer_email"],
            },
        )
        session["payment_intent"] = intent["id"]
    intent["payment_method"] = payment_methods.resolve(account, payment_method)["id"]
    later_us = account.profile.settles_us
    settled = outcome == "paid"
    decline = charging.refusal(account, account.payment_methods[intent["payment_method"]], off_session=False)
    paying.pay(account, intent, decline, later=None if settled else paying.Later(later_us, outcome))
    if decline is not None:
        raise charging.card_error(decline, account.charges[intent["latest_charge"]], intent)
    email = session["customer_email"] or "jenny.rosen@example.com"
    session.change(
        status="complete",
        payment_status="paid" if settled else "unpaid",
        url=None,
        customer_details={
            "address": None,
            "business_name": None,
            "email": email,
            "individual_name": None,
            "name": "Jenny Rosen",
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
    )
    account.emit("checkout.session.completed", session)
    if not settled:
        account.after(later_us, partial(_settle, account, session, intent))
    return session


def _settle(account: Account, session: Resource, intent: Resource) -> None:
    """The payment that was processing has ended; so does the wait of the session."""
    if intent["status"] == "succeeded":
        session["payment_status"] = "paid"
        account.emit("checkout.session.async_payment_succeeded", session)
    else:
        account.emit("checkout.session.async_payment_failed", session)


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/checkout/sessions/{id}."""
    return account.sessions.find(call.object_id)


def update(account: Account, call: Call) -> Resource:
    """POST /v1/checkout/sessions/{id}: metadata."""
    session = account.sessions.find(call.object_id)
    session["metadata"] = merge_metadata(session["metadata"], call.params.get("metadata"))
    return session


def expire(account: Account, call: Call) -> Resource:
    """POST /v1/checkout/sessions/{id}/expire."""
    session = account.sessions.find(call.object_id)
    if session["status"] != "open":
        raise ApiError(
            400,
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"`{session['status']}`.",
        )
    _expire(account, session)
    return session


def _expire(account: Account, session: Resource) -> None:
    if session["status"] == "open":
        session.change(status="expired", url=None)
        account.emit("checkout.session.expired", session)


def line_items(account: Account, call: Call) -> Resource:
    """GET /v1/checkout/sessions/{id}/line_items."""
    account.sessions.find(call.object_id)
    lines = [Resource(line) for line in account.line_items[call.object_id]["data"]]
    return listing.page(call, iter(lines), {line["id"]: line for line in lines}, "line item", {})
