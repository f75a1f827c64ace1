"""One attempt to pay for one order: its states, which only move forward, and what news makes of them.

No I/O here. ``decide`` is the only place that knows what news about a payment means.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum


class State(StrEnum):
    """Where an attempt is. The order of the members is the order of time."""

    ATTEMPT_CREATED = "attempt_created"
    PAYMENT_AUTHORIZED = "payment_authorized"
    INVENTORY_RESERVED = "inventory_reserved"
    ORDER_COMMITTED = "order_committed"
    EVENT_RECORDED = "event_recorded"
    EVENT_PUBLISHED = "event_published"
    PAYMENT_DECLINED = "payment_declined"
    PAYMENT_ABANDONED = "payment_abandoned"
    COMPENSATION_REQUIRED = "compensation_required"
    COMPENSATION_COMPLETE = "compensation_complete"


NEXT: dict[State, frozenset[State]] = {
    State.ATTEMPT_CREATED: frozenset(
        {State.PAYMENT_AUTHORIZED, State.PAYMENT_DECLINED, State.PAYMENT_ABANDONED}
    ),
    State.PAYMENT_AUTHORIZED: frozenset({State.INVENTORY_RESERVED, State.COMPENSATION_REQUIRED}),
    State.INVENTORY_RESERVED: frozenset({State.ORDER_COMMITTED}),
    State.ORDER_COMMITTED: frozenset({State.EVENT_RECORDED}),
    State.EVENT_RECORDED: frozenset({State.EVENT_PUBLISHED}),
    State.EVENT_PUBLISHED: frozenset(),
    # Money that shows up after we gave up on it, or after a decline, goes back.
    State.PAYMENT_DECLINED: frozenset({State.COMPENSATION_REQUIRED}),
    State.PAYMENT_ABANDONED: frozenset({State.PAYMENT_DECLINED, State.COMPENSATION_REQUIRED}),
    State.COMPENSATION_REQUIRED: frozenset({State.COMPENSATION_COMPLETE}),
    State.COMPENSATION_COMPLETE: frozenset(),
}

# The states that one transaction passes through when money was taken.
ORDER_TAKEN = (
    State.PAYMENT_AUTHORIZED,
    State.INVENTORY_RESERVED,
    State.ORDER_COMMITTED,
    State.EVENT_RECORDED,
)


def check_path(start: State, path: tuple[State, ...]) -> None:
    """Raises ValueError if an attempt in ``start`` may not go along ``path``."""
    here = start
    for state in path:
        if state not in NEXT[here]:
            allowed = ", ".join(sorted(NEXT[here])) or "nowhere"
            raise ValueError(f"an attempt cannot go from {here} to {state}; from there it goes to {allowed}")
        here = state


@dataclass(frozen=True, slots=True)
class Paid:
    """The provider holds our customer's money. ``amount`` in minor units."""

    payment_intent: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider has refused for good; no money moved or will move."""

    code: str
    payment_intent: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer, or one that says nothing about the money. Never a failure."""

    reason: str
    payment_intent: str | None = None
    is_server_error: bool = False


@dataclass(frozen=True, slots=True)
class Abandoned:
    """We stop asking: many answers, never an outcome, and the provider knows no such payment."""

    code: str = "payment_unresolved"


Outcome = Paid | Declined | Unknown
Report = Outcome | Abandoned

# Where news of these kinds still matters; anywhere else it is old.
OPEN = frozenset({State.ATTEMPT_CREATED})
OPEN_TO_MONEY = frozenset({State.ATTEMPT_CREATED, State.PAYMENT_DECLINED, State.PAYMENT_ABANDONED})


class Step(Enum):
    """What a report asks of an attempt."""

    TAKE_ORDER = "take the order"
    DECLINE = "decline"
    ABANDON = "abandon"
    COMPENSATE = "compensate"
    NOTHING = "nothing"


def decide(state: State, amount: int, currency: str, report: Report) -> Step:
    """What ``report`` means for an attempt in ``state`` to pay ``amount``; old news means nothing."""
    match report:
        case Paid() if state is State.ATTEMPT_CREATED:
            exact = (report.amount, report.currency) == (amount, currency)
            return Step.TAKE_ORDER if exact else Step.COMPENSATE
        case Paid() if state in OPEN_TO_MONEY:
            return Step.COMPENSATE
        case Declined() if state in OPEN:
            return Step.DECLINE
        case Abandoned() if state in OPEN:
            return Step.ABANDON
    return Step.NOTHING
