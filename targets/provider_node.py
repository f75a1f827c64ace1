"""Puts the fake provider on the simulated network: carries out its actions in virtual time.

The provider never heard of the harness, and the harness knows no payments; they meet here and on the wire.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Protocol

from fake_provider import (
    MISBEHAVIOURS,
    Action,
    Attempt,
    Behaviour,
    Deliver,
    Profile,
    Provider,
    Request,
    Respond,
)
from harness.fault import Fault, FaultKind
from harness.names import parse_name
from harness.sim.service import Host, Timer, Wire
from harness.wire import Conversation, Frame
from harness.wire.http import HttpConversation, HttpRequest, HttpResponse, RequestReader, response_bytes

SECOND_US = 1_000_000
IDLE_HORIZON_US = 20 * SECOND_US
"""The provider counts as idle when nothing of it is due this soon."""

EVENTS = (
    "payment_intent.created",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
)
"""What the shop subscribes to; each event more is a callback more in every run."""

PROFILE = Profile.stripe_v1(
    webhook_retries_us=tuple(seconds * SECOND_US for seconds in (2, 5, 10, 20, 40)), payout_automatic=False
)
"""Stripe's rules, with callback retries within the minute, so that a run of two virtual minutes sees them all."""


def fault_kinds() -> list[FaultKind]:
    """The provider's misbehaviours as fault kinds: ``provider_decline``, ``callback_late`` and so on."""
    return [
        FaultKind(
            kind_name(misbehaviour.name),
            misbehaviour.meaning,
            "operation" if misbehaviour.on == "request" else "callback",
            misbehaviour.parameters,
        )
        for misbehaviour in MISBEHAVIOURS.values()
    ]


def kind_name(behaviour: str) -> str:
    """Misbehaviours of requests are prefixed, since links have faults of the same names (``slow``)."""
    return f"provider_{behaviour}" if MISBEHAVIOURS[behaviour].on == "request" else behaviour


def _behaviour(fault: Fault) -> Behaviour:
    """The n-th message of its kind misbehaves: ``api>provider POST /v1/payment_intents#2`` is the second create."""
    name = parse_name(fault.at)
    return Behaviour(
        fault.kind.removeprefix("provider_"), name.kind, None, name.number, dict(fault.parameters)
    )


class CallingHost(Host, Protocol):
    """A host that can also send HTTP requests of its own."""

    def call(self, url: str, request: HttpRequest, timeout_us: int, done: Any) -> None: ...


class ProviderNode:
    """The provider as a service of the simulated network (harness.sim.service.Service)."""

    def __init__(
        self, host: CallingHost, webhooks: Sequence[str], secret: str, profile: Profile = PROFILE
    ) -> None:
        self._host = host
        self._provider = Provider(
            profile,
            now_us=host.now_us,
            random=Random(host.random.getrandbits(64)),
            webhooks=webhooks,
            events=EVENTS,
            secret=secret,
        )
        self._timeout_us = profile.webhook_timeout_us
        self._waiting: dict[str, Wire] = {}
        self._numbers = 0
        self._in_progress = 0
        self._alarm: Timer | None = None
        self._behaviours: dict[Fault, Behaviour] = {}
        self._hits: set[Fault] = set()

    # The network calls

    def conversation(self) -> Conversation:
        return HttpConversation()

    def opened(self, wire: Wire) -> None: ...

    def received(self, wire: Wire, request: Frame) -> None:
        parsed = RequestReader().next(request.data)
        assert parsed is not None, "the network hands over whole requests"
        self._numbers += 1
        mark = str(self._numbers)
        self._waiting[mark] = wire
        headers = dict(parsed.headers)
        self._carry_out(
            self._provider.receive(
                Request(parsed.method, parsed.target, headers, parsed.body, mark), self._host.now_us
            )
        )

    def closed(self, wire: Wire) -> None:
        self._waiting = {mark: waiting for mark, waiting in self._waiting.items() if waiting is not wire}

    # The engine calls

    def behave(self, fault: Fault) -> None:
        behaviour = _behaviour(fault)
        self._behaviours[fault] = behaviour
        self._provider.behave(behaviour)

    def was_hit(self, fault: Fault) -> bool:
        behaviour = self._behaviours.get(fault)
        if fault in self._hits:
            return True
        return any(known == behaviour and fired > 0 for known, fired in self._provider.behaviours())

    def heal(self) -> None:
        """No further misbehaviour; what was held back is sent."""
        self._hits = {fault for fault in self._behaviours if self.was_hit(fault)}
        self._provider.behave_well()
        self._carry_out(self._provider.release(self._host.now_us))

    def is_idle(self) -> bool:
        due_us = self._provider.due_us()
        return not self._in_progress and (due_us is None or due_us > self._host.now_us + IDLE_HORIZON_US)

    def export(self) -> list[dict[str, Any]]:
        return self._provider.export()

    # Carrying out

    def _carry_out(self, actions: Sequence[Action]) -> None:
        for action in actions:
            delay_us = max(0, action.at_us - self._host.now_us)
            if isinstance(action, Respond):
                if action.at_us <= self._host.now_us:
                    self._respond(action)
                else:
                    self._host.call_later(delay_us, lambda action=action: self._respond(action))  # type: ignore[misc]
            else:
                self._in_progress += 1
                self._host.call_later(delay_us, lambda action=action: self._deliver(action))  # type: ignore[misc]
        self._set_alarm()

    def _respond(self, action: Respond) -> None:
        wire = self._waiting.pop(action.request_id, None)
        if wire is None:
            return
        if action.response is not None:
            response = action.response
            data = response_bytes(response.status, list(response.headers.items()), response.body)
            wire.reply(data if action.cut is None else data[: len(data) - len(response.body) + action.cut])
        if action.drop or action.cut is not None:
            wire.close()

    def _deliver(self, action: Deliver) -> None:
        attempt = action.attempt
        headers = {**attempt.headers, **self._provider.sign(attempt, self._host.now_us)}
        path = "/" + attempt.url.partition("://")[2].partition("/")[2]
        request = HttpRequest(
            "POST", path, tuple((name.lower(), value) for name, value in headers.items()), attempt.body
        )
        self._host.call(
            attempt.url, request, self._timeout_us, lambda response: self._delivered(attempt, response)
        )

    def _delivered(self, attempt: Attempt, response: HttpResponse | None) -> None:
        self._in_progress -= 1
        status = response.status if response else None
        self._carry_out(self._provider.delivered(attempt.id, status, self._host.now_us))

    def _set_alarm(self) -> None:
        due_us = self._provider.due_us()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if due_us is not None:
            self._alarm = self._host.call_later(max(0, due_us - self._host.now_us), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._carry_out(self._provider.advance(self._host.now_us))
