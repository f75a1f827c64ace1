"""The merchant's account at the provider: all objects, the money and what happened, under the clock of the
caller.

Operations (`fake_provider.api`) get an `Account` and change it. It knows the time only because `Provider` says
so before each step.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from fake_provider.call import Call
from fake_provider.cards import Card
from fake_provider.events import Event
from fake_provider.funds import Funds
from fake_provider.identifiers import Identifiers
from fake_provider.ledger import Ledger, Movement, Postings
from fake_provider.profile import Profile
from fake_provider.resource import Resource, Shelf
from fake_provider.timers import Timer, Timers

NOUNS = {
    "payment_intents": ("payment_intent", "intent"),
    "charges": ("charge", "id"),
    "refunds": ("refund", "id"),
    "customers": ("customer", "id"),
    "payment_methods": ("PaymentMethod", "payment_method"),
    "balance_transactions": ("balance transaction", "id"),
    "payouts": ("payout", "payout"),
    "disputes": ("dispute", "dispute"),
    "sessions": ("checkout.session", "session"),
    "webhook_endpoints": ("webhook endpoint", "webhook_endpoint"),
}


class Account:
    """Everything the provider knows. `shelves` hold the objects; `cards` say what a payment method will do."""

    def __init__(self, profile: Profile, random: Random, now_us: int) -> None:
        self.profile = profile
        self.now_us = now_us
        self.ids = Identifiers(random, profile.ids)
        self.timers = Timers()
        self.ledger = Ledger()
        self.shelves = {name: Shelf(noun, param) for name, (noun, param) in NOUNS.items()}
        self.intents = self.shelves["payment_intents"]
        self.charges = self.shelves["charges"]
        self.refunds = self.shelves["refunds"]
        self.customers = self.shelves["customers"]
        self.payment_methods = self.shelves["payment_methods"]
        self.transactions = self.shelves["balance_transactions"]
        self.payouts = self.shelves["payouts"]
        self.disputes = self.shelves["disputes"]
        self.sessions = self.shelves["sessions"]
        self.endpoints = self.shelves["webhook_endpoints"]
        self.cards: dict[str, Card] = {}
        self.funds = Funds()
        self.unpaid: list[Resource] = []  # available balance transactions that no payout has taken yet
        self.parts: dict[str, list[Resource]] = {}  # automatic payout id -> its balance transactions
        self.payout_day: Timer | None = None
        self.on_available: Callable[[], object] = lambda: None  # what to do when money has become available
        self.authenticated: set[str] = set()  # intents to be confirmed again after 3-D Secure
        self.base_url = "http://provider"  # where customers find the authentication page
        # By checkout session id: its list of line items, and what its payment intent will be made of.
        self.line_items: dict[str, dict[str, Any]] = {}
        self.intent_data: dict[str, dict[str, Any]] = {}
        self.chains: dict[str, int] = {}  # token chain -> uses
        # By endpoint id: secrets with the time at which each stops signing, newest first.
        self.secrets: dict[str, list[tuple[str, int | None]]] = {}
        self.holds: dict[str, Timer] = {}  # charge id -> its expiry
        self.events: dict[str, Event] = {}
        self._emitted = 0
        self.fresh_events: list[Event] = []
        self.call: Call | None = None

    @property
    def now_s(self) -> int:
        """Unix time in whole seconds, the resolution of every `created`."""
        return self.now_us // 1_000_000

    def after(self, delay_us: int, call: Callable[[], object]) -> Timer:
        """Arrange `call` for `delay_us` from now."""
        return self.timers.at(self.now_us + delay_us, call)

    def misbehaves(self, name: str) -> Any:
        """The scripted behaviour of this name that hit the current request, or None."""
        return self.call.fired.get(name) if self.call else None

    def emit(self, event_type: str, resource: Resource, previous: dict[str, Any] | None = None) -> Event:
        """Records an event; the outbox picks it up when the current step ends."""
        call = self.call
        self._emitted += 1
        event = Event(
            self._emitted,
            self.ids.new("evt"),
            event_type,
            self.now_us,
            resource.snapshot(),
            previous,
            call.request_id if call else None,
            call.key if call else None,
            self.profile.api_version,
        )
        self.prune_events()
        self.events[event.id] = event
        self.fresh_events.append(event)
        return event

    def book(
        self,
        kind: str,
        resource: Resource,
        amount: int,
        postings: Postings,
        *,
        status: str = "succeeded",
        charge: Resource | None = None,
        transaction: Resource | None = None,
    ) -> None:
        """Records a movement of money about `resource`, with what is known of the payment it belongs to."""
        owner = charge if charge is not None else resource
        intent_id = owner.get("payment_intent")
        intent = self.intents.get(intent_id) if intent_id else None
        call = self.call
        self.ledger.record(
            Movement(
                self.now_us,
                kind,
                resource["id"],
                amount,
                resource["currency"],
                status,
                intent_id,
                charge["id"] if charge is not None else None,
                owner.get("customer"),
                call.key if call else None,
                call.request_id if call else None,
                transaction["id"] if transaction else None,
                transaction["fee"] if transaction else 0,
                transaction["net"] if transaction else 0,
                dict((intent or owner).get("metadata") or {}),
                postings,
            )
        )

    def prune_events(self) -> None:
        """Forgets events that are older than the provider keeps them."""
        oldest_us = self.now_us - self.profile.events_kept_us
        while self.events:
            event = next(iter(self.events.values()))
            if event.created_us >= oldest_us:
                return
            del self.events[event.id]
