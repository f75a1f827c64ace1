"""Events: what happened, frozen at the moment it happened.

An event keeps a snapshot of its object, never the object: the API may move on, the event does not.
"""

from dataclasses import dataclass
from typing import Any

from fake_provider.resource import Snapshot, encode, encode_text


@dataclass(slots=True)
class Event:
    """One event. number: its place among all. shown: `data.object` as it was. pending: deliveries without success."""

    number: int
    id: str
    type: str
    created_us: int
    shown: Snapshot
    previous: dict[str, Any] | None
    request_id: str | None
    key: str | None
    api_version: str
    pending: int = 0

    @property
    def object_id(self) -> str:
        """The id of the object it is about."""
        return str(self.shown.members.get("id", ""))

    def entities(self) -> frozenset[str]:
        """What a behaviour may call its object by: ids of it and of its payment, and metadata values."""
        shown = self.shown.members
        metadata = (shown.get("metadata") or {}).values()
        ids = (shown.get(name) for name in ("id", "payment_intent", "charge", "customer"))
        return frozenset(item for item in (*ids, *metadata) if isinstance(item, str))

    def payment(self) -> frozenset[str]:
        """The payment ids (intent or charge) it is about; two events belong together when these meet."""
        return frozenset(item for item in self.entities() if item.startswith(("pi_", "ch_")))

    def text(self, api_version: str | None = None) -> str:
        """The event object as JSON, in the version of an endpoint."""
        data = f'{{"object":{self.shown.text()}'
        if self.previous is not None:
            data += f',"previous_attributes":{encode(self.previous)}'
        created_s = self.created_us // 1_000_000
        version = api_version or self.api_version
        request = f'{{"id":{encode_text(self.request_id)},"idempotency_key":{encode_text(self.key)}}}'
        return (
            f'{{"id":"{self.id}","object":"event","api_version":{encode_text(version)},"created":{created_s},'
            f'"data":{data}}},"livemode":false,"pending_webhooks":{self.pending},"request":{request},'
            f'"type":"{self.type}"}}'
        )
