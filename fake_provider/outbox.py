"""The webhook outbox: which event goes where, when, how often, and what is wrong with it.

Order is not promised and an event may arrive more than once: that much is the provider's contract. The rest is
misbehaviour on order. A delivery is one event for one endpoint; an attempt is one POST of it. Failed attempts
are repeated after the profile's pauses.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from fake_provider import signature
from fake_provider.account import Account
from fake_provider.actions import Attempt, Deliver
from fake_provider.api.webhook_endpoints import live_secrets
from fake_provider.behaviours import NOTHING, Fired, Script
from fake_provider.events import Event
from fake_provider.resource import Resource, Snapshot
from fake_provider.timers import Timer

FOREIGN_SECRET = "whsec_somebody_else"
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    "Accept": "*/*; q=0.5, application/xml",
    "Cache-Control": "no-cache",
}


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way to one endpoint.

    made: attempts so far. lose: how many of the next attempts get lost. seal: how it is signed (`own`, `stale`,
    `forged`, `missing`). original: the delivery whose signature it repeats. retried: whether failed attempts
    are repeated; copies of our own are not.
    """

    event: Event
    endpoint_id: str
    body: bytes
    made: int = 0
    lose: int = 0
    seal: str = "own"
    age_s: int = 0
    retried: bool = True
    seen_signature: str = ""
    original: "Delivery | None" = None


@dataclass(slots=True, eq=False)
class _Held:
    """A delivery that waits for another event to be delivered; `until` is that event's type, or "" for any
    later event."""

    delivery: Delivery
    until: str
    timer: Timer


class Outbox:
    """Everything between an event and its endpoints. `send` takes the `Deliver` actions."""

    def __init__(self, account: Account, script: Script, send: Callable[[Deliver], None]) -> None:
        self._account = account
        self._script = script
        self._send = send
        self._attempts: dict[str, Delivery] = {}
        self._held: list[_Held] = []

    def dispatch(self, events: Iterable[Event], answer_us: int) -> int:
        """Schedules events that an answer at `answer_us` announces. Returns until when that answer is to be
        held back (or 0)."""
        hold_us = 0
        for event in events:
            fired = (
                self._script.on_callback(event.type, event.entities())
                if self._script.watches_callbacks
                else NOTHING
            )
            wanting = [
                endpoint for endpoint in self._account.endpoints.values() if _wants(endpoint, event.type)
            ]
            event.pending = len(wanting)
            for endpoint in wanting:
                self._schedule(event, endpoint, fired, answer_us)
            if "callback_early" in fired and wanting:
                hold_us = max(hold_us, self._account.now_us + fired["callback_early"].parameter("delay_us"))
        return hold_us

    def _schedule(self, event: Event, endpoint: Resource, fired: Fired, answer_us: int) -> None:
        """One delivery, with everything that is to go wrong with it."""
        account = self._account
        at_us = answer_us + account.profile.webhook_delay_us
        if not fired:
            self._at(at_us, Delivery(event, endpoint["id"], self._body(event, endpoint)))
            return
        shown = self._previous_state(event) if "callback_old_snapshot" in fired else event
        delivery = Delivery(event, endpoint["id"], self._body(shown, endpoint))
        if "callback_early" in fired:
            at_us = account.now_us
        if "callback_late" in fired:
            at_us += fired["callback_late"].parameter("delay_us")
        if "callback_dropped" in fired:
            delivery.lose = fired["callback_dropped"].parameter("attempts")
        for seal in ("stale", "forged", "missing"):
            if f"signature_{seal}" in fired:
                delivery.seal = seal
        if "signature_stale" in fired:
            delivery.age_s = fired["signature_stale"].parameter("age_s")
        self._first(delivery, fired, at_us)
        self._extras(delivery, endpoint, fired, at_us)

    def _first(self, delivery: Delivery, fired: Fired, at_us: int) -> None:
        """The event itself: lost, held or due."""
        if "callback_lost" in fired:
            return
        if "callback_held" in fired:
            held = fired["callback_held"]
            self._hold(delivery, held.parameter("until"), at_us + held.parameter("delay_us"))
        elif "callback_reordered" in fired:
            self._hold(delivery, "", at_us + fired["callback_reordered"].parameter("delay_us"))
        else:
            self._at(at_us, delivery)

    def _extras(self, first: Delivery, endpoint: Resource, fired: Fired, at_us: int) -> None:
        """What is sent besides."""
        event = first.event
        if "callback_duplicated" in fired:
            duplicated = fired["callback_duplicated"]
            for number in range(1, duplicated.parameter("copies") + 1):
                copy = self._copy(event) if duplicated.parameter("new_id") else event
                self._at(
                    at_us + number * duplicated.parameter("gap_us"),
                    Delivery(copy, endpoint["id"], self._body(copy, endpoint), retried=False),
                )
        if "callback_stale" in fired:
            stale, older = fired["callback_stale"], self._older(event)
            if older is not None:
                sent = self._copy(older) if stale.parameter("new_id") else older
                self._at(
                    at_us + stale.parameter("delay_us"),
                    Delivery(sent, endpoint["id"], self._body(sent, endpoint), retried=False),
                )
        if "callback_forged" in fired:
            forged = self._forge(event, fired["callback_forged"].parameter("type"))
            self._at(
                at_us + fired["callback_forged"].parameter("delay_us"),
                Delivery(forged, endpoint["id"], self._body(forged, endpoint), seal="forged", retried=False),
            )
        if "signature_replayed" in fired:
            self._at(
                at_us + fired["signature_replayed"].parameter("delay_us"),
                replace(first, retried=False, original=first, made=0, lose=0),
            )

    def _at(self, at_us: int, delivery: Delivery) -> None:
        self._account.timers.at(at_us, partial(self._attempt, delivery))

    def _hold(self, delivery: Delivery, until: str, latest_us: int) -> None:
        held = _Held(delivery, until, self._account.timers.at(latest_us, lambda: self._release(held)))
        self._held.append(held)

    def _release(self, held: _Held) -> None:
        self._held.remove(held)
        held.timer.cancel()
        self._attempt(held.delivery)

    def release_all(self) -> int:
        """Sends everything that is held now; returns how many."""
        held = list(self._held)
        for one in held:
            self._release(one)
        return len(held)

    def resend(self, event: Event) -> None:
        """Sends an event again by hand; its own retries go on as if nothing happened."""
        for endpoint in self._account.endpoints.values():
            if _wants(endpoint, event.type):
                copy = Delivery(event, endpoint["id"], self._body(event, endpoint), retried=False)
                self._at(self._account.now_us, copy)

    def _attempt(self, delivery: Delivery) -> None:
        """One POST, unless the endpoint is gone or disabled, or the attempt is to get lost."""
        endpoint = self._account.endpoints.get(delivery.endpoint_id)
        if endpoint is None or endpoint["status"] != "enabled":
            return
        delivery.made += 1
        if delivery.lose > 0:
            delivery.lose -= 1
            self._failed(delivery)
            return
        attempt = Attempt(
            self._account.ids.new("wa"),
            endpoint["url"],
            HEADERS,
            delivery.body,
            delivery.event.id,
            delivery.event.type,
            endpoint["id"],
            delivery.made,
        )
        self._attempts[attempt.id] = delivery
        self._send(Deliver(self._account.now_us, attempt))

    def sign(self, attempt: Attempt) -> dict[str, str]:
        """All headers of an attempt that leaves now."""
        delivery = self._attempts.get(attempt.id)
        seal = delivery.seal if delivery else "own"
        if delivery is None or seal == "missing":
            return dict(attempt.headers)
        if delivery.original is not None:
            value = delivery.original.seen_signature
        else:
            secrets = (
                [FOREIGN_SECRET] if seal == "forged" else live_secrets(self._account, attempt.endpoint_id)
            )
            value = signature.sign(secrets, attempt.body, self._account.now_s - delivery.age_s)
            delivery.seen_signature = value
        return {**attempt.headers, "Stripe-Signature": value}

    def delivered(self, attempt_id: str, status: int | None) -> None:
        """Takes the outcome of an attempt; anything but 2xx is repeated later. An unknown or settled attempt
        changes nothing."""
        delivery = self._attempts.pop(attempt_id, None)
        if delivery is None:
            return
        if status is None or not 200 <= status < 300:
            self._failed(delivery)
            return
        if delivery.retried:
            delivery.event.pending -= 1
        for held in list(self._held):
            if held.delivery.endpoint_id == delivery.endpoint_id and _frees(delivery.event, held):
                self._release(held)

    def _failed(self, delivery: Delivery) -> None:
        pauses = self._account.profile.webhook_retries_us
        if not delivery.retried:
            return
        if delivery.made <= len(pauses):
            self._at(self._account.now_us + pauses[delivery.made - 1], delivery)

    def _body(self, event: Event, endpoint: Resource) -> bytes:
        return event.text(endpoint["api_version"]).encode()

    def _older(self, event: Event) -> Event | None:
        """The latest earlier event about the same object, or else about the same payment."""
        payment, found = event.payment(), None
        for other in reversed(self._account.events.values()):
            if other is event or other.created_us > event.created_us:
                continue
            if other.object_id == event.object_id:
                return other
            found = found or (other if payment & other.payment() else None)
        return found

    def _previous_state(self, event: Event) -> Event:
        """The event with the object as the previous event about it had it."""
        for other in reversed(self._account.events.values()):
            if (
                other is not event
                and other.object_id == event.object_id
                and other.created_us <= event.created_us
            ):
                return replace(event, shown=other.shown)
        return event

    def _copy(self, event: Event) -> Event:
        """A second event object for the same change."""
        copy = replace(event, id=self._account.ids.new("evt"), pending=0)
        self._account.events[copy.id] = copy
        return copy

    def _forge(self, event: Event, event_type: str) -> Event:
        """What a stranger would claim about the object of an event; the account does not know it."""
        claimed = dict(event.shown.members)
        if claimed.get("object") == "payment_intent" and event_type == "payment_intent.succeeded":
            claimed.update(status="succeeded", amount_received=claimed["amount"])
        return replace(
            event,
            id=self._account.ids.new("evt_forged"),
            type=event_type,
            shown=Snapshot(claimed),
            previous=None,
        )


def _frees(event: Event, held: _Held) -> bool:
    """Whether a delivered event is the one that a held delivery waits for."""
    waiting = held.delivery.event
    if not held.until:
        return event.number > waiting.number
    return held.until == event.type and bool(event.payment() & waiting.payment())


def _wants(endpoint: Resource, event_type: str) -> bool:
    wanted = endpoint["enabled_events"]
    return endpoint["status"] == "enabled" and ("*" in wanted or event_type in wanted)
