"""Charges as clients see them: the older way to pay, and what a payment intent's money looks like."""

from fake_provider.account import Account
from fake_provider.api import charging, customers, paying, payment_methods
from fake_provider.call import Call
from fake_provider.cards import ALIASES
from fake_provider.errors import ApiError
from fake_provider.parameters import Echo, Spec, boolean, integer, merge_metadata, metadata, table, text
from fake_provider.resource import Resource

CREATE = Spec(
    "amount",
    "currency",
    amount=integer(),
    currency=text,
    source=text,
    customer=text,
    capture=boolean,
    description=text,
    metadata=metadata,
    receipt_email=text,
    shipping=table,
    statement_descriptor=text,
)
UPDATE = Spec(
    description=text,
    metadata=metadata,
    receipt_email=text,
    shipping=table,
    fraud_details=table,
    customer=text,
)
CAPTURE = Spec(amount=integer(1), receipt_email=text)
SETTABLE = frozenset(
    {
        "description",
        "receipt_email",
        "shipping",
        "fraud_details",
        "transfer_group",
        "statement_descriptor_suffix",
    }
)
COMMANDS = frozenset({"expand", "capture", "source", "charge"})
ECHO = Echo(charging.TEMPLATE, SETTABLE, COMMANDS)


def create(account: Account, call: Call) -> Resource:
    """POST /v1/charges, the older way to pay. `source` may be a chain `tok_a|tok_b|name`: the n-th use of the
    chain takes the n-th token."""
    params = call.params
    customer = customers.living(account, params["customer"]) if params.get("customer") else None
    source = params.get("source") or (
        customer and (customer["default_source"] or customer["invoice_settings"]["default_payment_method"])
    )
    if not source:
        raise ApiError(400, "Must provide source or customer.", code="parameter_missing")
    method = payment_methods.resolve(account, _next_of_chain(account, source), "source")
    members = ECHO.of(params)
    members.update(
        amount=params["amount"],
        currency=params["currency"].lower(),
        customer=customer and customer["id"],
        metadata=merge_metadata({}, params.get("metadata")),
        statement_descriptor=params.get("statement_descriptor"),
    )
    decline = charging.refusal(account, method, off_session=True)
    charge = charging.authorize(
        account, method, members, decline, charging.Terms(capture=params.get("capture") is not False)
    )
    if decline is not None:
        raise charging.card_error(decline, charge)
    return charge


def _next_of_chain(account: Account, source: str) -> str:
    tokens = [token for token in source.split("|") if token in ALIASES]
    if "|" not in source or not tokens:
        return source
    used = account.chains.get(source, 0)
    account.chains[source] = used + 1
    return tokens[min(used, len(tokens) - 1)]


def capture(account: Account, call: Call) -> Resource:
    """POST /v1/charges/{id}/capture. A charge of an intent is captured through its intent, so that both agree."""
    charge = account.charges.find(call.object_id)
    amount = charging.check_capture(charge, call.params.get("amount"))
    if charge["payment_intent"]:
        paying.capture_intent(account, account.intents[charge["payment_intent"]], amount)
    else:
        charging.capture_charge(account, charge, amount)
    return charge


def update(account: Account, call: Call) -> Resource:
    """POST /v1/charges/{id}."""
    charge = account.charges.find(call.object_id)
    changes = ECHO.of(call.params)
    changes["metadata"] = merge_metadata(charge["metadata"], call.params.get("metadata"))
    previous = charge.change(**changes)
    if previous:
        account.emit("charge.updated", charge, previous)
    return charge


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/charges/{id}."""
    return account.charges.find(call.object_id)
