"""Which path reaches which operation. An endpoint is added by one line here and one function in its noun's
module."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fake_provider.account import Account
from fake_provider.api import (
    charges,
    charging,
    customers,
    disputes,
    events,
    intent_shape,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    sessions,
    transactions,
    webhook_endpoints,
)
from fake_provider.api.listing import FIELDS, lister
from fake_provider.call import Call
from fake_provider.parameters import Spec
from fake_provider.resource import Resource

Operation = Callable[[Account, Call], Resource]
ANY = Spec()


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. operation: method and path with `{id}` for every id. check: what validation needs beyond `spec`."""

    operation: str
    run: Operation
    spec: Spec = ANY
    check: Callable[[Account, dict[str, Any]], None] | None = None


def _shelf(base: str, shelf: str, *filters: str) -> tuple[Route, ...]:
    return (Route(f"GET {base}", lister(shelf, *filters), FIELDS),)


ROUTES: tuple[Route, ...] = (
    Route("POST /v1/payment_intents", payment_intents.create, intent_shape.CREATE, charging.check_params),
    *_shelf("/v1/payment_intents", "payment_intents", "customer"),
    Route("GET /v1/payment_intents/{id}", payment_intents.retrieve),
    Route("POST /v1/payment_intents/{id}", payment_intents.update, intent_shape.UPDATE),
    Route("POST /v1/payment_intents/{id}/confirm", payment_intents.confirm, intent_shape.CONFIRM),
    Route("POST /v1/payment_intents/{id}/capture", payment_intents.capture, intent_shape.CAPTURE),
    Route("POST /v1/payment_intents/{id}/cancel", payment_intents.cancel, intent_shape.CANCEL),
    Route("POST /v1/charges", charges.create, charges.CREATE, charging.check_params),
    *_shelf("/v1/charges", "charges", "customer", "payment_intent", "transfer_group"),
    Route("GET /v1/charges/{id}", charges.retrieve),
    Route("POST /v1/charges/{id}", charges.update, charges.UPDATE),
    Route("POST /v1/charges/{id}/capture", charges.capture, charges.CAPTURE),
    Route("POST /v1/refunds", refunds.create, refunds.CREATE),
    *_shelf("/v1/refunds", "refunds", "charge", "payment_intent"),
    Route("GET /v1/refunds/{id}", refunds.retrieve),
    Route("POST /v1/refunds/{id}", refunds.update, refunds.UPDATE),
    Route("POST /v1/refunds/{id}/cancel", refunds.cancel),
    Route("POST /v1/customers", customers.create, customers.FIELDS),
    *_shelf("/v1/customers", "customers", "email"),
    Route("GET /v1/customers/{id}", customers.retrieve),
    Route("POST /v1/customers/{id}", customers.update, customers.FIELDS),
    Route("DELETE /v1/customers/{id}", customers.delete),
    Route("GET /v1/customers/{id}/payment_methods", customers.list_payment_methods, FIELDS),
    Route("GET /v1/customers/{id}/payment_methods/{id}", customers.payment_method),
    Route("POST /v1/payment_methods", payment_methods.create, payment_methods.CREATE),
    *_shelf("/v1/payment_methods", "payment_methods", "customer", "type"),
    Route("GET /v1/payment_methods/{id}", payment_methods.retrieve),
    Route("POST /v1/payment_methods/{id}", payment_methods.update, payment_methods.UPDATE),
    Route("POST /v1/payment_methods/{id}/attach", payment_methods.attach, payment_methods.ATTACH),
    Route("POST /v1/payment_methods/{id}/detach", payment_methods.detach),
    Route("GET /v1/events", events.list_events, events.LIST),
    Route("GET /v1/events/{id}", events.retrieve),
    Route("POST /v1/webhook_endpoints", webhook_endpoints.create, webhook_endpoints.CREATE),
    *_shelf("/v1/webhook_endpoints", "webhook_endpoints"),
    Route("GET /v1/webhook_endpoints/{id}", webhook_endpoints.retrieve),
    Route("POST /v1/webhook_endpoints/{id}", webhook_endpoints.update, webhook_endpoints.UPDATE),
    Route("DELETE /v1/webhook_endpoints/{id}", webhook_endpoints.delete),
    Route("GET /v1/balance", transactions.balance),
    Route("GET /v1/balance_transactions", transactions.list_transactions, FIELDS),
    Route("GET /v1/balance_transactions/{id}", transactions.retrieve),
    Route("POST /v1/payouts", payouts.create, payouts.CREATE),
    *_shelf("/v1/payouts", "payouts", "status"),
    Route("GET /v1/payouts/{id}", payouts.retrieve),
    Route("POST /v1/payouts/{id}", payouts.update, payouts.UPDATE),
    Route("POST /v1/payouts/{id}/cancel", payouts.cancel),
    Route("POST /v1/checkout/sessions", sessions.create, sessions.CREATE),
    *_shelf("/v1/checkout/sessions", "sessions", "payment_intent", "customer", "status"),
    Route("GET /v1/checkout/sessions/{id}", sessions.retrieve),
    Route("POST /v1/checkout/sessions/{id}", sessions.update, sessions.UPDATE),
    Route("POST /v1/checkout/sessions/{id}/expire", sessions.expire),
    Route("GET /v1/checkout/sessions/{id}/line_items", sessions.line_items, FIELDS),
    *_shelf("/v1/disputes", "disputes", "charge", "payment_intent"),
    Route("GET /v1/disputes/{id}", disputes.retrieve),
    Route("POST /v1/disputes/{id}", disputes.update, disputes.UPDATE),
    Route("POST /v1/disputes/{id}/close", disputes.close),
)


def _pattern(operation: str) -> tuple[str, ...]:
    method, path = operation.split(" ", 1)
    return (method, *path.split("/")[1:])


_BY_PATTERN = {_pattern(route.operation): route for route in ROUTES}
_ID_POSITIONS = ((), (3,), (4,), (3, 5))


def find_route(method: str, path: str) -> tuple[Route, str] | None:
    """The route of a path and the (first) id in it, or None. Ids sit in the third place, or the fourth under
    `checkout`."""
    parts = [method, *path.split("/")[1:]]
    for positions in _ID_POSITIONS:
        if positions and positions[-1] >= len(parts):
            continue
        pattern = parts.copy()
        for place in positions:
            pattern[place] = "{id}"
        route = _BY_PATTERN.get(tuple(pattern))
        if route is not None and all(parts[place] for place in positions):
            return route, parts[positions[0]] if positions else ""
    return None
