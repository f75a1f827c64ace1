"""Customers, as far as payments need them."""

from typing import Any

from fake_provider.account import Account
from fake_provider.api import listing, payment_methods
from fake_provider.call import Call
from fake_provider.errors import missing_object
from fake_provider.parameters import Echo, Spec, merge_metadata, metadata, table, text
from fake_provider.resource import Resource

FIELDS = Spec(
    email=text,
    name=text,
    phone=text,
    description=text,
    metadata=metadata,
    address=table,
    shipping=table,
    payment_method=text,
    source=text,
    invoice_settings=table,
)
SETTABLE = frozenset(
    {"email", "name", "phone", "description", "address", "shipping", "preferred_locales", "tax_exempt"}
)
COMMANDS = frozenset({"expand", "payment_method", "source", "invoice_settings"})
TEMPLATE: dict[str, Any] = {
    "id": "",
    "object": "customer",
    "address": None,
    "balance": 0,
    "created": 0,
    "currency": None,
    "default_source": None,
    "delinquent": False,
    "description": None,
    "discount": None,
    "email": None,
    "invoice_prefix": None,
    "invoice_settings": {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": None,
        "rendering_options": None,
    },
    "livemode": False,
    "metadata": {},
    "name": None,
    "next_invoice_sequence": 1,
    "phone": None,
    "preferred_locales": [],
    "shipping": None,
    "tax_exempt": "none",
    "test_clock": None,
}
ECHO = Echo(TEMPLATE, SETTABLE, COMMANDS)


def create(account: Account, call: Call) -> Resource:
    """POST /v1/customers; `payment_method` or `source` saves a card with it."""
    params = call.params
    wanted = params.get("payment_method") or params.get("source")
    method = payment_methods.resolve(account, wanted, "payment_method") if wanted else None
    customer_id = account.ids.new("cus")
    customer = Resource(
        {
            **TEMPLATE,
            **ECHO.of(params),
            "id": customer_id,
            "created": account.now_s,
            "invoice_prefix": f"INV{len(account.customers) + 1:05d}",
            "metadata": merge_metadata({}, params.get("metadata")),
            "invoice_settings": {**TEMPLATE["invoice_settings"], **(params.get("invoice_settings") or {})},
        }
    )
    if method is not None:
        payment_methods.attach_to(account, method, customer)
        if params.get("source"):
            customer["default_source"] = method["id"]
    account.customers.put(customer)
    account.emit("customer.created", customer)
    return customer


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/customers/{id}; a deleted one answers as a stub."""
    return account.customers.find(call.object_id)


def living(account: Account, customer_id: str, param: str = "customer") -> Resource:
    """The customer a parameter names, which must not be deleted."""
    customer = account.customers.find_param(customer_id, param)
    if customer.get("deleted"):
        raise missing_object("customer", customer_id, param, status=400)
    return customer


def update(account: Account, call: Call) -> Resource:
    """POST /v1/customers/{id}."""
    customer, params = account.customers.find(call.object_id), call.params
    if customer.get("deleted"):
        raise missing_object("customer", call.object_id, "id")
    changes = ECHO.of(params)
    changes["metadata"] = merge_metadata(customer["metadata"], params.get("metadata"))
    if params.get("invoice_settings"):
        changes["invoice_settings"] = {**customer["invoice_settings"], **params["invoice_settings"]}
    previous = customer.change(**changes)
    if previous:
        account.emit("customer.updated", customer, previous)
    return customer


def delete(account: Account, call: Call) -> Resource:
    """DELETE /v1/customers/{id}: the id stays, as a stub."""
    customer = account.customers.find(call.object_id)
    if not customer.get("deleted"):
        account.emit("customer.deleted", customer)
        for method in account.payment_methods.values():
            if method["customer"] == customer["id"]:
                method["customer"] = None
        account.customers.put(Resource({"id": customer["id"], "object": "customer", "deleted": True}))
    return account.customers[customer["id"]]


def payment_method(account: Account, call: Call) -> Resource:
    """GET /v1/customers/{id}/payment_methods/{method}."""
    account.customers.find(call.object_id)
    method = account.payment_methods.find(call.path.rsplit("/", 1)[1])
    if method["customer"] != call.object_id:
        raise missing_object("PaymentMethod", method["id"], "payment_method")
    return method


def list_payment_methods(account: Account, call: Call) -> Resource:
    """GET /v1/customers/{id}/payment_methods."""
    account.customers.find(call.object_id)
    methods = (
        method
        for method in reversed(account.payment_methods.values())
        if method["customer"] == call.object_id
    )
    return listing.page(call, methods, account.payment_methods, "PaymentMethod", {})
