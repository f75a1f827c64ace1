"""Everything at once in random order: money is conserved, keys mean one charge, states only move along their edges."""

from collections import Counter
from contextlib import suppress
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fake_provider import MISBEHAVIOURS, Behaviour, Profile
from fake_provider.cards import CARDS
from fake_provider.errors import ApiError
from tests.fake_provider.desk import DAY_US, SECOND_US, Answer, Desk
from tests.fake_provider.test_money import assert_books_balance

EXAMPLES, STEPS = 24, 100
GOOD = ["pm_card_visa", "pm_card_pendingRefund", "pm_card_threeDSecure2Required", "pm_card_createDispute"]
CARD_NAMES = st.sampled_from(GOOD) | st.sampled_from([f"pm_card_{card.name}" for card in CARDS])
AMOUNTS = st.sampled_from([49, 50, 999, 4200, 100_000_000])
MANY = st.integers(0, 9)
WAITS = st.sampled_from([1, 50_000, 5 * SECOND_US, 3600 * SECOND_US, DAY_US, 8 * DAY_US])
STATUSES = {200, 400, 402, 404, 409, 429, 500, 503}
# The provider's own breach of its contract: after these, money may move twice under one key.
BREACHES = {"unstored", "forget_key"}
FINAL = {
    "succeeded": {"succeeded"},
    "canceled": {"canceled"},
    "requires_capture": {"requires_capture", "succeeded", "canceled"},
    "processing": {"processing", "succeeded", "requires_payment_method", "canceled"},
}


class Life(RuleBasedStateMachine):
    """One provider with latency, a client that repeats itself, a customer, an operator, time and misbehaviour."""

    steps = 0
    replays = 0
    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(profile=Profile.stripe_v1(latency_us=1_000))
        self.sent: list[tuple[int, str, str, dict[str, Any]]] = []
        self.marks: dict[str, str] = {}  # mark -> key
        self.seen: set[str] = set()
        self.bodies: dict[str, bytes] = {}  # request id -> answer
        self.broken_keys: set[str] = set()
        self.states: dict[str, str] = {}
        self.outstanding = 0

    def send(self, path: str, **params: Any) -> None:
        """A POST under a key of its own."""
        key = f"key-{len(self.sent)}"
        self.sent.append((self.desk.now_us, key, path, params))
        self.marks[self.desk.start("POST", path, key, **params)] = key

    def intent(self, number: int) -> str:
        """The id of an intent, mostly one that exists."""
        return f"pi_{1 + number % (len(self.desk.provider.account.intents) + 1)}"

    @rule(amount=AMOUNTS, card=CARD_NAMES, manual=st.booleans(), confirm=st.booleans())
    def create(self, amount: int, card: str, manual: bool, confirm: bool) -> None:
        self.send(
            "/v1/payment_intents",
            amount=amount,
            currency="eur",
            payment_method=card,
            confirm="true" if confirm else "false",
            capture_method="manual" if manual else "automatic",
        )

    @rule(number=MANY, card=CARD_NAMES)
    def confirm(self, number: int, card: str) -> None:
        self.send(f"/v1/payment_intents/{self.intent(number)}/confirm", payment_method=card)

    @rule(number=MANY, amount=AMOUNTS)
    def capture(self, number: int, amount: int) -> None:
        self.send(f"/v1/payment_intents/{self.intent(number)}/capture", amount_to_capture=amount)

    @rule(number=MANY)
    def cancel(self, number: int) -> None:
        self.send(f"/v1/payment_intents/{self.intent(number)}/cancel")

    @rule(number=MANY, amount=AMOUNTS)
    def update(self, number: int, amount: int) -> None:
        self.send(f"/v1/payment_intents/{self.intent(number)}", amount=amount, metadata={"amount": amount})

    @rule(number=MANY, amount=st.none() | AMOUNTS)
    def refund(self, number: int, amount: int | None) -> None:
        self.send(
            "/v1/refunds",
            payment_intent=self.intent(number),
            **({} if amount is None else {"amount": amount}),
        )

    @precondition(lambda self: self.sent)
    @rule(number=MANY, times=st.integers(1, 3), at_once=st.booleans())
    def repeat(self, number: int, times: int, at_once: bool) -> None:
        """The client sends one of its last requests again; after a day that would be a new request."""
        at_us, key, path, params = self.sent[-1 - number % len(self.sent)]
        if self.desk.now_us - at_us < DAY_US:
            for _ in range(times):
                if not at_once:
                    self.desk.wait(2_000)
                self.marks[self.desk.start("POST", path, key, **params)] = key

    @rule(name=st.sampled_from(sorted(MISBEHAVIOURS)), count=st.integers(1, 2))
    def misbehave(self, name: str, count: int) -> None:
        self.desk.provider.behave(Behaviour(name, "*", parameters={"count": count}))

    @rule(delay_us=WAITS)
    def wait(self, delay_us: int) -> None:
        self.desk.wait(delay_us)

    @precondition(lambda self: self.outstanding < len(self.desk.deliveries))
    @rule(statuses=st.lists(st.sampled_from([200, 204, 302, 500, None]), min_size=1, max_size=6))
    def deliver(self, statuses: list[int | None]) -> None:
        for status in statuses:
            if self.outstanding < len(self.desk.deliveries):
                delivery = self.desk.deliveries[self.outstanding]
                self.outstanding += 1
                self.desk.provider.sign(delivery.attempt, self.desk.now_us)
                self.desk.outcome(delivery, status)

    @rule(
        name=st.sampled_from(["authenticate", "dispute", "close_dispute", "fail_refund", "fail_payout"]),
        number=MANY,
    )
    def control(self, name: str, number: int) -> None:
        params = {
            "payment_intent": self.intent(number),
            "charge": f"ch_{number}",
            "dispute": f"dp_{number}",
            "refund": f"re_{number}",
            "payout": f"po_{number}",
        }
        with suppress(ApiError):  # much of it is refused, and anything but a refusal is a bug
            self.desk.control(name, **params)

    @invariant()
    def answers_are_as_promised(self) -> None:
        """Known statuses, error objects, and a replay that is byte for byte the first answer."""
        for mark in [mark for mark in self.marks if mark in self.desk.answers and mark not in self.seen]:
            self.seen.add(mark)
            self.check_answer(self.desk.answers[mark], self.marks[mark])

    def check_answer(self, answer: Answer, key: str) -> None:
        if BREACHES & set(answer.fired):
            self.broken_keys.add(key)
        if answer.lost:
            return
        assert answer.status in STATUSES
        if answer.status >= 500:
            assert {"error_before", "error_after", "error_rolled_back", "error_rolled_forward"} & set(
                answer.fired
            ) or ("Idempotent-Replayed" in answer.headers)
        if answer.status != 200 and answer.body:
            assert answer.error["message"]
        if "Idempotent-Replayed" in answer.headers:
            type(self).replays += 1
            assert self.bodies.get(answer.headers["Original-Request"], answer.raw) == answer.raw
        else:
            self.bodies[answer.headers["Request-Id"]] = answer.raw

    @invariant()
    def states_move_along_their_edges(self) -> None:
        for name, intent in self.desk.provider.account.intents.items():
            now = intent["status"]
            assert now in FINAL.get(self.states.get(name, ""), {now}), f"{name}: {self.states[name]} -> {now}"
            self.states[name] = now
        type(self).steps += 1

    @invariant()
    def refunds_never_exceed_captures(self) -> None:
        refunded: Counter[str] = Counter()
        for refund in self.desk.provider.account.refunds.values():
            if refund["status"] in ("pending", "succeeded") and refund["balance_transaction"]:
                refunded[refund["charge"]] += refund["amount"]
        for name, charge in self.desk.provider.account.charges.items():
            assert refunded[name] <= charge["amount_captured"] <= charge["amount"]
            assert charge["amount_refunded"] <= charge["amount"]

    def teardown(self) -> None:
        """At the end of a life: the books balance, and no key took money twice."""
        self.desk.provider.behave_well()
        assert_books_balance(self.desk)
        taken = Counter(
            row["idempotency_key"]
            for row in self.desk.rows()
            if row["kind"] in ("charge", "authorize", "decline")
        )
        del taken[None]
        assert {key for key, times in taken.items() if times > 1} <= self.broken_keys
        type(self).reached.update(self.states.values())
        self.desk.wait(30 * DAY_US)
        assert_books_balance(self.desk)
        assert self.desk.provider.account.ledger.balance("held", "eur") == 0, "a hold outlived its expiry"


def test_a_provider_keeps_its_books_whatever_happens() -> None:
    Life.steps, Life.replays, Life.reached = 0, 0, Counter()
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Life.steps >= 2_000
    assert Life.replays > 20, "the repeated keys were never replayed"
    assert {"succeeded", "canceled", "requires_payment_method", "requires_action"} <= set(Life.reached)
