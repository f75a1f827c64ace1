"""One request on its way through the provider's layers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fake_provider.actions import Request
from fake_provider.behaviours import NOTHING, Fired
from fake_provider.idempotency import Scope


@dataclass(slots=True)
class Call:
    """What is known of a request while it is worked on.

    operation: method and route with `{id}` for ids. raw: parameters as sent. params: the same, typed by the
    route's `Spec`.
    object_id: the id in the path. fired: the misbehaviours that hit this request. scope: account and
    idempotency key.
    """

    request: Request
    request_id: str
    received_us: int
    method: str
    path: str
    operation: str = ""
    object_id: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    fired: Fired = field(default_factory=lambda: NOTHING)
    scope: Scope | None = None
    locks: tuple[str, ...] = ()
    _headers: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """A request header by its lower-case name."""
        if not self._headers:
            self._headers = {key.lower(): value for key, value in self.request.headers.items()}
        return self._headers.get(name)

    @property
    def key(self) -> str | None:
        return self.scope[1] if self.scope else None

    def entities(self) -> frozenset[str]:
        """Everything in the request that may name an entity: ids in the path and the texts of all parameters."""
        return frozenset((*self.path.split("/"), *_leaves(self.raw)))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
