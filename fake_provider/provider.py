"""The provider: one object that takes requests, reports and the time, and returns actions.

It does no I/O and has no clock: whoever owns it says what happened and what time it is, and carries out the
actions.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from random import Random
from typing import Any

from fake_provider.account import Account
from fake_provider.actions import Action, Attempt, Request
from fake_provider.api import payouts, webhook_endpoints
from fake_provider.behaviours import Behaviour, Script
from fake_provider.controls import CONTROLS
from fake_provider.errors import ApiError
from fake_provider.outbox import Outbox
from fake_provider.pipeline import Pipeline
from fake_provider.profile import Profile


class Provider:
    """A payment provider that speaks a subset of the Stripe API and misbehaves as it is told.

    profile: its rules. now_us: the time (Unix, microseconds) at which it comes into being. random: the source
    of every secret.
    webhooks: URLs that get `events` (their types; all by default), signed with `secret`.
    behaviours: what shall go wrong.
    """

    def __init__(
        self,
        profile: Profile | None = None,
        *,
        now_us: int,
        random: Random,
        webhooks: Iterable[str] = (),
        events: Iterable[str] = ("*",),
        secret: str = "whsec_fake_provider",
        behaviours: Iterable[Behaviour] = (),
    ) -> None:
        self.profile = profile or Profile.stripe_v1()
        self.account = Account(self.profile, random, now_us)
        self._script = Script(behaviours)
        self._actions: list[Action] = []
        self._outbox = Outbox(self.account, self._script, self._actions.append)
        self._pipeline = Pipeline(self.account, self._script, self._actions.append, self._announce)
        self.account.on_available = partial(payouts.pay_out, self.account)
        for url in webhooks:
            webhook_endpoints.add(self.account, url, list(events), secret)

    # What a transport calls.

    def receive(self, request: Request, now_us: int) -> list[Action]:
        """A request arrived. Its answer is among the actions, or comes out of a later `advance` when it is
        executed late."""
        self._run_due(now_us)
        self._pipeline.admit(request)
        self._run_due(now_us)
        return self._take()

    def due_us(self) -> int | None:
        """When `advance` must be called next, or None."""
        return self.account.timers.due_us()

    def advance(self, now_us: int) -> list[Action]:
        """Lets everything happen that is due by now: callbacks, retries, expiries, late executions."""
        self._run_due(now_us)
        return self._take()

    def sign(self, attempt: Attempt, now_us: int) -> dict[str, str]:
        """The headers of an attempt whose bytes leave now, with `Stripe-Signature`."""
        self._at(now_us)
        return self._outbox.sign(attempt)

    def delivered(self, attempt_id: str, status: int | None, now_us: int) -> list[Action]:
        """An attempt ended: with an HTTP status, or None when there was no answer (refused, cut, timed out)."""
        self._run_due(now_us)
        self._outbox.delivered(attempt_id, status)
        self._run_due(now_us)
        return self._take()

    # What a person or a scenario calls.

    def behave(self, behaviour: Behaviour) -> None:
        """Adds a misbehaviour; it counts matches from now on."""
        self._script.add(behaviour)

    def behave_well(self) -> None:
        """Forgets all misbehaviours; what they already caused goes on."""
        self._script.clear()

    def behaviours(self) -> list[tuple[Behaviour, int]]:
        """Every behaviour in force and how often it fired."""
        return self._script.behaviours()

    def control(
        self, name: str, params: Mapping[str, Any], now_us: int
    ) -> tuple[dict[str, Any], list[Action]]:
        """Lets something happen that no API call causes (see `controls.CONTROLS`): its object, and the actions.

        Raises `ApiError` when it cannot happen; what it caused until then (a declined card) still comes out of
        `advance`.
        """
        self._run_due(now_us)
        run = CONTROLS.get(name)
        if run is None:
            raise ApiError(404, f"No control '{name}'; there are {', '.join(CONTROLS)}.")
        try:
            effect = run(self.account, params)
        finally:
            self._announce(self.account.now_us)
        self._run_due(now_us)
        return dict(effect), self._take()

    def resend(self, event_id: str, now_us: int) -> list[Action]:
        """Sends an event again to every endpoint that wants it, whatever became of it before. KeyError if unknown."""
        self._run_due(now_us)
        self._outbox.resend(self.account.events[event_id])
        self._run_due(now_us)
        return self._take()

    def export(self) -> list[dict[str, Any]]:
        """Everything that money did, one row per movement (see `ledger.Movement`)."""
        return self.account.ledger.export()

    def release(self, now_us: int) -> list[Action]:
        """Sends all held callbacks now."""
        self._run_due(now_us)
        self._outbox.release_all()
        return self._take()

    # Time.

    def _at(self, now_us: int) -> None:
        self.account.now_us = max(self.account.now_us, now_us)

    def _run_due(self, now_us: int) -> None:
        timers = self.account.timers
        while (timer := timers.pop_due(now_us)) is not None:
            self._at(timer.at_us)
            if timer.call is not None:
                timer.call()
            self._announce(self.account.now_us)
        self._at(now_us)

    def _announce(self, answer_us: int) -> int:
        """Hands new events to the outbox; returns until when it wants the answer held back."""
        fresh = self.account.fresh_events
        if not fresh:
            return 0
        self.account.fresh_events = []
        return self._outbox.dispatch(fresh, answer_us)

    def _take(self) -> list[Action]:
        taken = self._actions[:]
        self._actions.clear()
        return taken
