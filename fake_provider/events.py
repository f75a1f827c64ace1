"""Events: what happened, frozen at the moment it happened.

An event keeps the rendered text of its object, never the object: the API may move on, the event does not.
"""

from dataclasses import dataclass, field
from typing import Any

from fake_provider.resource import Resource, encode


@dataclass(slots=True)
class Event:
    """One event. object_text: the JSON of `data.object` as it was. pending: deliveries that have not succeeded yet."""

    id: str
    type: str
    created_us: int
    object_id: str
    object_text: str
    previous: dict[str, Any] | None
    request_id: str | None
    key: str | None
    api_version: str
    entities: frozenset[str] = field(default_factory=frozenset)
    pending: int = 0
    sent_to: int = 0
    failed: int = 0

    def text(self, api_version: str | None = None) -> str:
        """The event object as JSON, in the version of an endpoint."""
        data = f'{{"object":{self.object_text}'
        if self.previous is not None:
            data += f',"previous_attributes":{encode(self.previous)}'
        return (
            f'{{"id":"{self.id}","object":"event","api_version":"{api_version or self.api_version}",'
            f'"created":{self.created_us // 1_000_000},"data":{data}}},"livemode":false,"pending_webhooks":{self.pending},'
            f'"request":{{"id":{encode(self.request_id)},"idempotency_key":{encode(self.key)}}},"type":"{self.type}"}}'
        )


def entities_of(resource: Resource) -> frozenset[str]:
    """What a behaviour may call an event's object by: its id, the payment it belongs to, its metadata values."""
    found = [
        resource.get("id"),
        resource.get("payment_intent"),
        resource.get("charge"),
        resource.get("customer"),
        *(resource.get("metadata") or {}).values(),
    ]
    return frozenset(item for item in found if isinstance(item, str))


def payment_of(event: Event) -> frozenset[str]:
    """The payment ids (intent or charge) that an event is about; two events belong together when these meet."""
    return frozenset(item for item in event.entities if item.startswith(("pi_", "ch_")))
