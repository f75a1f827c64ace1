"""What goes into the provider and what comes out: requests, and the actions a transport carries out for it.

The provider does no I/O. A transport (the simulated network, or our own server) hands it a `Request` and gets a
list of actions back: answer this request so, at that time; post this callback there, at that time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `path` carries the query string. `id` is the transport's own mark, echoed in
    `Respond.request_id`."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, headers without the connection's own (no Content-Length)."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer a request at `at_us`.

    request_id: `Request.id`, or the provider's own request id (`req_1`) when the transport set none. response:
    None when the answer is never sent and the connection just hangs.
    drop: close the connection without an answer.
    fired: the names of the misbehaviours that hit the request.
    cut: send only the first `cut` bytes of the body, declare the whole length, then close the connection.
    """

    at_us: int
    request_id: str
    response: Response | None = None
    drop: bool = False
    cut: int | None = None
    fired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One outgoing POST of a callback. `headers` lack the signature: `Provider.sign` makes it when the bytes
    leave."""

    id: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    event_id: str
    event_type: str
    endpoint_id: str
    number: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Post `attempt` at `at_us`, then report its outcome with `Provider.delivered`."""

    at_us: int
    attempt: Attempt


Action = Respond | Deliver
