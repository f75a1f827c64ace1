"""Nonsense of every kind: whatever is sent, the answer is an error object or a proper object, and never an
exception.

The first fuzzer mutates requests of every route, the second feeds bytes to a connection in pieces.
"""

import asyncio
from functools import cache
from json import loads
from typing import Any
from urllib.parse import quote_plus, urlencode

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fake_provider import Request, Respond, Response
from fake_provider.api.routes import ROUTES
from fake_provider.server.connection import Connection
from tests.fake_provider.desk import DAY_US, Desk, flat
from tests.fake_provider.test_money import assert_books_balance

FUZZ = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
STATUSES = {200, 400, 401, 402, 404, 409, 413, 429, 431}
IDS = (
    "pi_1",
    "pi_2",
    "pi_3",
    "ch_1",
    "re_1",
    "cus_1",
    "pm_1",
    "evt_1",
    "we_1",
    "txn_1",
    "po_1",
    "dp_1",
    "cs_test_1",
    "nope",
    "pi_xxxxxxxxxxxxx",
    "pm_card_visa",
    "%00",
    "..",
    "ch_1?expand[]=customer",
)


@cache
def names() -> tuple[str, ...]:
    """Every parameter that any route reads, and some that none does."""
    known = {name for route in ROUTES for name in (*route.spec.readers, *route.spec.required)}
    return (
        *sorted(known),
        "expand",
        "id",
        "object",
        "status",
        "self",
        "created",
        "data",
        "__class__",
        "limit",
        "charge[id]",
    )


values = st.recursive(
    st.one_of(
        st.sampled_from(
            [
                "",
                "0",
                "-1",
                "1",
                "50",
                "4200",
                "99999999",
                "1e9",
                "true",
                "false",
                "eur",
                "EUR",
                "null",
                "NaN",
                "pm_card_visa",
                "pm_card_createDispute",
                "manual",
                "card",
                "card|tok_visa",
                "9" * 400,
                *IDS,
            ]
        ),
        st.text(max_size=12),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["a", "0", "gte", "number", "price_data", "currency", "unit_amount", "metadata", "enabled"]
            )
            | st.text(max_size=4),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
PLAUSIBLE: dict[str, Any] = {
    "amount": "4200",
    "currency": "eur",
    "payment_method": "pm_card_visa",
    "type": "card",
    "customer": "cus_1",
    "url": "http://x/",
    "enabled_events": ["*"],
    "confirm": "true",
    "payment_intent": "pi_1",
    "source": "tok_visa",
    "line_items": [{"price_data": {"currency": "eur", "unit_amount": "100"}}],
}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request of a known route with plausible and wild parameters, or of any path."""
    route = draw(st.sampled_from(ROUTES))
    method, path = route.operation.split(" ")
    if draw(st.integers(0, 9)) == 0:
        method, path = (
            draw(st.sampled_from(["GET", "POST", "DELETE", "PATCH", "HEAD"])),
            draw(st.text(max_size=20)),
        )
    while "{id}" in path:
        path = path.replace("{id}", draw(st.sampled_from(IDS)), 1)
    params = {name: value for name, value in PLAUSIBLE.items() if draw(st.booleans())}
    params.update(draw(st.dictionaries(st.sampled_from(names()), values, max_size=4)))
    body = draw(st.binary(max_size=40)) if draw(st.integers(0, 9)) == 0 else encode(params)
    headers = {
        "Authorization": "Bearer sk_test_1",
        "Idempotency-Key": draw(st.sampled_from(["", "k-1", "k-2", "k" * 300])),
    }
    headers["Content-Type"] = draw(
        st.sampled_from(["application/x-www-form-urlencoded"] * 8 + ["application/json", ""])
    )
    if method == "GET":
        return Request(method, f"{path}?{body.decode('latin-1')}", headers)
    return Request(method, path, headers, body)


def encode(params: dict[str, Any]) -> bytes:
    return urlencode(
        [(name, value) for name, value in flat(params)], quote_via=quote_plus, errors="replace"
    ).encode()


def busy() -> Desk:
    """A provider with one object of each kind."""
    desk = Desk()
    desk.post("/v1/customers", payment_method="pm_card_visa")
    desk.pay(payment_method="pm_card_createDispute")
    desk.hold()
    desk.post("/v1/payment_intents", amount=100, currency="eur")
    desk.post("/v1/refunds", payment_intent="pi_1", amount=10)
    desk.post("/v1/checkout/sessions", line_items=PLAUSIBLE["line_items"])
    desk.wait(3 * DAY_US)
    return desk


@FUZZ
@given(st.lists(requests(), min_size=1, max_size=12))
@example(
    [Request("POST", "/v1/payment_intents", {"Authorization": "Bearer sk_1"}, b"amount=%2B4&currency=eur")]
)
def test_any_request_gets_a_proper_answer_and_the_books_still_balance(sequence: list[Request]) -> None:
    desk = busy()
    for request in sequence:
        actions = desk.provider.receive(request, desk.now_us)
        answers = [action for action in actions if isinstance(action, Respond)]
        assert len(answers) == 1, "one request, one answer"
        response = answers[0].response
        assert response is not None
        assert response.status in STATUSES, response
        body = loads(response.body)
        assert ("error" in body) == (response.status != 200)
        assert response.status == 200 or isinstance(body["error"]["message"], str)
        assert not any("\n" in value or "\r" in value for value in response.headers.values())
    desk.wait(30 * DAY_US)
    assert_books_balance(desk)


class Pipe(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = write_eof = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Takes no notice."""

    resume_reading = pause_reading


class Echo:
    """A handler that answers everything at once."""

    def __init__(self) -> None:
        self.handled: list[Request] = []

    def opened(self, _: Connection) -> bool:
        return True

    def closed(self, _: Connection) -> None:
        """Takes no notice."""

    def mark(self) -> str:
        return "r"

    def seconds(self) -> float:
        return 0.0

    def handle(self, connection: Connection, request: Request) -> None:
        self.handled.append(request)
        connection.respond(Respond(0, "r", Response(200, {}, b"{}")))


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from(
            [
                b"GET / HTTP/1.1\r\n\r\n",
                b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
                b"\r\n",
                b"GET ",
                b": ",
                b"Transfer-Encoding: chunked\r\n\r\n",
                b"5\r\nhello\r\n0\r\n\r\n",
                b"Content-Length: 9999999\r\n\r\n",
                b"Expect: 100-continue\r\n",
                b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
                b"CONNECT a:1 HTTP/1.1\r\n\r\n",
            ]
        ),
    ),
    max_size=12,
)


@FUZZ
@given(PIECES)
def test_any_bytes_end_in_answers_or_one_refusal(pieces: list[bytes]) -> None:
    handler, pipe = Echo(), Pipe()
    connection = Connection(handler, 75, 30)
    connection.connection_made(pipe)
    for piece in pieces:
        connection.data_received(piece)
    good, refused = pipe.written.count(b"HTTP/1.1 200 OK"), pipe.written.count(b"HTTP/1.1 4")
    assert good == len(handler.handled)
    assert refused <= 1
    assert not refused or pipe.closed


@FUZZ
@given(st.integers(1, 5), st.lists(st.integers(1, 60), max_size=12))
def test_a_request_is_the_same_however_it_is_cut_into_pieces(count: int, sizes: list[int]) -> None:
    whole = b"".join(
        b"POST /v1/%d HTTP/1.1\r\nA: b\r\nContent-Length: 3\r\n\r\nabc" % number for number in range(count)
    )
    handler, pipe = Echo(), Pipe()
    connection = Connection(handler, 75, 30)
    connection.connection_made(pipe)
    for size in [*sizes, len(whole)]:
        connection.data_received(whole[:size])
        whole = whole[size:]
    assert [(request.path, request.body, request.headers["a"]) for request in handler.handled] == [
        (f"/v1/{number}", b"abc", "b") for number in range(count)
    ]
