"""Events as clients list and retrieve them."""

from json import loads

from fake_provider.account import Account
from fake_provider.api import listing
from fake_provider.call import Call
from fake_provider.errors import missing_object
from fake_provider.events import Event
from fake_provider.parameters import Spec, boolean, integer, text, texts
from fake_provider.resource import Resource

LIST = Spec(
    type=text,
    types=texts,
    delivery_success=boolean,
    limit=integer(1, 100),
    starting_after=text,
    ending_before=text,
)


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/events/{id}; events are kept for 30 days."""
    account.prune_events()
    event = account.events.get(call.object_id)
    if event is None:
        raise missing_object("event", call.object_id, "id")
    return Resource(loads(event.text()))


def list_events(account: Account, call: Call) -> Resource:
    """GET /v1/events, filtered by `type`, `types` and `delivery_success`."""
    account.prune_events()
    params = call.params
    events = (event for event in reversed(account.events.values()) if _wanted(event, params))
    return listing.page(
        call, (Resource(loads(event.text())) for event in events), account.events, "event", {}
    )


def _wanted(event: Event, params: dict[str, object]) -> bool:
    kind, kinds, success = params.get("type"), params.get("types"), params.get("delivery_success")
    if isinstance(kind, str) and not (
        event.type == kind or (kind.endswith(".*") and event.type.startswith(kind[:-1]))
    ):
        return False
    if isinstance(kinds, list) and kinds and event.type not in kinds:
        return False
    return success is None or success is (event.pending == 0)
