"""A provider with a clock and a client's habits: what the tests of this package talk through."""

from json import loads
from random import Random
from typing import Any
from urllib.parse import urlencode

from fake_provider import Action, Behaviour, Deliver, Profile, Provider, Request, Respond

START_US = 1_800_000_000_000_000
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
HOOK = "http://shop.example/hooks"


class Answer:
    """What a request got: `status`, `body` (parsed), `raw`, `headers`, `at_us`; `lost` when no answer ever comes."""

    def __init__(self, respond: Respond) -> None:
        self.at_us = respond.at_us
        self.lost = respond.response is None
        self.dropped = respond.drop
        self.fired = respond.fired
        self.cut = respond.cut
        self.status = respond.response.status if respond.response else 0
        self.raw = respond.response.body if respond.response else b""
        self.headers = respond.response.headers if respond.response else {}
        html = self.headers.get("Content-Type") == "text/html"
        self.body: dict[str, Any] = {} if self.lost or html else loads(self.raw)

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]


class Desk:
    """One provider, time in microseconds, everything it sent."""

    def __init__(
        self, *behaviours: Behaviour, hooks: bool = True, profile: Profile | None = None, seed: int = 7
    ) -> None:
        self.now_us = START_US
        self.provider = Provider(
            profile or Profile.stripe_v1(),
            now_us=START_US,
            random=Random(seed),
            webhooks=[HOOK] if hooks else [],
            secret="whsec_desk",
            behaviours=behaviours,
        )
        self.answers: dict[str, Answer] = {}
        self.deliveries: list[Deliver] = []
        self._marks = 0

    def start(
        self,
        method: str,
        path: str,
        /,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        **params: Any,
    ) -> str:
        """Sends a request; its answer, when it comes, is in `answers` under the returned mark."""
        self._marks += 1
        mark = f"m{self._marks}"
        sent = {
            "Authorization": "Bearer sk_test_1",
            "Content-Type": "application/x-www-form-urlencoded",
            **(headers or {}),
        }
        if key is not None:
            sent["Idempotency-Key"] = key
        form = urlencode(list(flat(params)))
        if method == "GET" and form:
            path = f"{path}?{form}"
        payload = body if body is not None else (b"" if method == "GET" else form.encode())
        self._sort(self.provider.receive(Request(method, path, sent, payload, mark), self.now_us))
        return mark

    def call(self, method: str, path: str, /, key: str | None = None, **params: Any) -> Answer:
        """Sends a request and takes its answer."""
        return self.answers[self.start(method, path, key, **params)]

    def post(self, path: str, /, key: str | None = None, **params: Any) -> Answer:
        return self.call("POST", path, key, **params)

    def get(self, path: str, /, **params: Any) -> Answer:
        return self.call("GET", path, **params)

    def pay(self, amount: int | str = 4200, /, key: str | None = None, **params: Any) -> Answer:
        """Creates and confirms an intent with a good card."""
        return self.post(
            "/v1/payment_intents",
            key,
            **{
                "amount": amount,
                "currency": "eur",
                "payment_method": "pm_card_visa",
                "confirm": "true",
                **params,
            },
        )

    def hold(self, amount: int = 4200, /, **params: Any) -> Answer:
        """The same, authorised only."""
        return self.pay(amount, capture_method="manual", **params)

    def wait(self, delay_us: int) -> list[Deliver]:
        """Lets time pass, one appointment at a time; returns what was sent meanwhile."""
        before, end_us = len(self.deliveries), self.now_us + delay_us
        while (due_us := self.provider.due_us()) is not None and due_us <= end_us:
            self.now_us = max(self.now_us, due_us)
            self._sort(self.provider.advance(self.now_us))
        self.now_us = end_us
        self._sort(self.provider.advance(end_us))
        return self.deliveries[before:]

    def outcome(self, delivery: Deliver, status: int | None) -> None:
        """Reports how a delivery ended."""
        self._sort(self.provider.delivered(delivery.attempt.id, status, self.now_us))

    def control(self, name: str, **params: Any) -> dict[str, Any]:
        effect, actions = self.provider.control(name, params, self.now_us)
        self._sort(actions)
        return effect

    def rows(self, kind: str | None = None) -> list[dict[str, Any]]:
        return [row for row in self.provider.export() if kind in (None, row["kind"])]

    def _sort(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Respond):
                self.answers[action.request_id] = Answer(action)
            else:
                self.deliveries.append(action)


def flat(value: Any, name: str = "") -> Any:
    """Nested parameters as the form fields that SDKs send."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from flat(item, f"{name}[{position}]")
    else:
        yield name, value


def types(deliveries: list[Deliver]) -> list[str]:
    return [delivery.attempt.event_type for delivery in deliveries]


def event(delivery: Deliver) -> dict[str, Any]:
    return loads(delivery.attempt.body)
