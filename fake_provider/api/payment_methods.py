"""Payment methods, always cards: made of card numbers, tokens or the test names of `cards`."""

from typing import Any

from fake_provider.account import Account
from fake_provider.call import Call
from fake_provider.cards import ALIASES, BY_NUMBER, Card
from fake_provider.errors import ApiError, missing_object
from fake_provider.parameters import Echo, Spec, choice, integer, merge_metadata, metadata, table, text
from fake_provider.resource import Resource

CREATE = Spec(
    "type",
    type=text,
    card=table,
    billing_details=table,
    metadata=metadata,
    allow_redisplay=choice("always", "limited", "unspecified"),
)
UPDATE = Spec(card=table, billing_details=table, metadata=metadata)
ATTACH = Spec("customer", customer=text)
SETTABLE = frozenset({"metadata", "allow_redisplay"})
COMMANDS = frozenset({"card", "billing_details", "type", "expand", "payment_method"})
NO_BILLING = {
    "address": {
        "city": None,
        "country": None,
        "line1": None,
        "line2": None,
        "postal_code": None,
        "state": None,
    },
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}
TEMPLATE: dict[str, Any] = {
    "id": "",
    "object": "payment_method",
    "allow_redisplay": "unspecified",
    "billing_details": NO_BILLING,
    "card": {},
    "created": 0,
    "customer": None,
    "livemode": False,
    "metadata": {},
    "type": "card",
}
_EXPIRY = (integer(1, 12), integer(0, 9999))
ECHO = Echo(TEMPLATE, SETTABLE, COMMANDS)


def create(account: Account, call: Call) -> Resource:
    """POST /v1/payment_methods."""
    return make(account, call.params)


def make(account: Account, params: dict[str, Any]) -> Resource:
    """A new payment method from `type`, `card`, `billing_details`, `metadata`; also what `payment_method_data`
    does."""
    kind = params.get("type") or "card"
    if kind != "card":
        raise ApiError(
            400,
            f"The payment method type '{kind}' is not modelled by this provider; use 'card'.",
            param="type",
        )
    details = params.get("card")
    if not isinstance(details, dict) or not details:
        raise ApiError(400, "Missing required param: card.", code="parameter_missing", param="card")
    card = _card_of(details)
    now = account.now_s
    month = _EXPIRY[0]("card[exp_month]", details.get("exp_month", "12"))
    year = _EXPIRY[1]("card[exp_year]", details.get("exp_year", str(1970 + now // 31_556_952 + 3)))
    billing = params.get("billing_details")
    extra = ECHO.of(params)
    return _shelve(
        account,
        card,
        {
            **extra,
            "billing_details": {**NO_BILLING, **billing} if billing else NO_BILLING,
            "metadata": merge_metadata({}, params.get("metadata")),
        },
        month,
        year,
    )


def _card_of(details: dict[str, Any]) -> Card:
    token = details.get("token")
    if token is not None:
        if token not in ALIASES:
            raise missing_object("token", str(token), "card[token]", status=400)
        return ALIASES[token]
    number = str(details.get("number", "")).replace(" ", "")
    if not number.isascii() or not number.isdigit() or not 12 <= len(number) <= 19:
        raise ApiError(
            402, "Your card number is incorrect.", kind="card_error", code="incorrect_number", param="number"
        )
    return BY_NUMBER.get(number) or Card("unknown", number)


def _shelve(
    account: Account, card: Card, members: dict[str, Any], month: int | None, year: int | None
) -> Resource:
    method = Resource(
        {
            **TEMPLATE,
            **members,
            "id": account.ids.new("pm"),
            "created": account.now_s,
            "card": {
                "brand": card.brand,
                "checks": {
                    "address_line1_check": None,
                    "address_postal_code_check": None,
                    "cvc_check": "pass",
                },
                "country": "US",
                "display_brand": card.brand,
                "exp_month": month,
                "exp_year": year,
                "fingerprint": f"fp_{card.number[-8:]}",
                "funding": "credit",
                "generated_from": None,
                "last4": card.last4,
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
        }
    )
    account.cards[method["id"]] = card
    return account.payment_methods.put(method)


def resolve(account: Account, name: str, param: str = "payment_method") -> Resource:
    """The payment method that a parameter names: an id, or a test name or token, of which a new method is made."""
    found = account.payment_methods.get(name)
    if found is not None:
        return found
    card = ALIASES.get(name)
    if card is None:
        raise missing_object("PaymentMethod", name, param, status=400)
    return _shelve(account, card, {}, 12, 1970 + account.now_s // 31_556_952 + 3)


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/payment_methods/{id}; the test names answer too."""
    if call.object_id in ALIASES and call.object_id.startswith("pm_"):
        shown = Resource(dict(resolve(account, call.object_id)))
        del account.payment_methods[shown["id"]]
        shown["id"] = call.object_id
        return shown
    return account.payment_methods.find(call.object_id)


def update(account: Account, call: Call) -> Resource:
    """POST /v1/payment_methods/{id}."""
    method, params = account.payment_methods.find(call.object_id), call.params
    changes = ECHO.of(params)
    changes["metadata"] = merge_metadata(method["metadata"], params.get("metadata"))
    if params.get("billing_details"):
        changes["billing_details"] = {**method["billing_details"], **params["billing_details"]}
    card = {
        name: _EXPIRY[0](name, value) if name == "exp_month" else _EXPIRY[1](name, value)
        for name, value in (params.get("card") or {}).items()
        if name in ("exp_month", "exp_year")
    }
    if card:
        changes["card"] = {**method["card"], **card}
    account.emit("payment_method.updated", method, method.change(**changes))
    return method


def attach(account: Account, call: Call) -> Resource:
    """POST /v1/payment_methods/{id}/attach. A card that cannot be saved is declined here."""
    method = account.payment_methods.get(call.object_id) or (
        resolve(account, call.object_id)
        if call.object_id in ALIASES
        else account.payment_methods.find(call.object_id)
    )
    customer = account.customers.find_param(call.params["customer"], "customer")
    if method["customer"] not in (None, customer["id"]):
        raise ApiError(400, "The payment method you provided has already been attached to a customer.")
    attach_to(account, method, customer)
    return method


def attach_to(account: Account, method: Resource, customer: Resource) -> None:
    """Saves a method to a customer, or raises the decline of a card that cannot be saved."""
    card = account.cards[method["id"]]
    if card.decline and not card.attaches:
        error = ApiError(402, card.decline.message, kind="card_error", code=card.decline.code)
        if card.decline.decline_code:
            error.error["decline_code"] = card.decline.decline_code
        raise error
    method["customer"] = customer["id"]
    account.emit("payment_method.attached", method)


def detach(account: Account, call: Call) -> Resource:
    """POST /v1/payment_methods/{id}/detach."""
    method = account.payment_methods.find(call.object_id)
    if method["customer"] is None:
        raise ApiError(
            400, "The payment method you provided is not attached to a customer so detachment is impossible."
        )
    account.emit("payment_method.detached", method, method.change(customer=None))
    return method
