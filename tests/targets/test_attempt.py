"""The states of an attempt, and what news makes of them."""

import pytest

from targets.checkout.reference.attempt import (
    NEXT,
    ORDER_TAKEN,
    Abandoned,
    Declined,
    Paid,
    State,
    Step,
    Unknown,
    check_path,
    decide,
)

PAID = Paid("pi_1", 4200, "eur")


def test_no_state_can_be_reached_twice() -> None:
    """Follows every path from every state: an attempt that moved on never comes back."""

    def follow(state: State, seen: tuple[State, ...]) -> None:
        for after in NEXT[state]:
            assert after not in (*seen, state), f"{after} is reached again after {seen}"
            follow(after, (*seen, state))

    for start in State:
        follow(start, ())


def test_every_state_is_reached_and_only_three_are_ends() -> None:
    reached = set().union(*NEXT.values()) | {State.ATTEMPT_CREATED}
    assert reached == set(State)
    ends = {state for state, after in NEXT.items() if not after}
    assert ends == {State.EVENT_PUBLISHED, State.COMPENSATION_COMPLETE}


def test_the_path_of_a_paid_order_is_allowed_and_a_short_cut_is_not() -> None:
    check_path(State.ATTEMPT_CREATED, (*ORDER_TAKEN, State.EVENT_PUBLISHED))
    with pytest.raises(
        ValueError,
        match="an attempt cannot go from attempt_created to order_committed; from there it goes to "
        "payment_abandoned, payment_authorized, payment_declined",
    ):
        check_path(State.ATTEMPT_CREATED, (State.ORDER_COMMITTED,))
    with pytest.raises(
        ValueError, match="from event_published to compensation_required; from there it goes to nowhere"
    ):
        check_path(State.EVENT_PUBLISHED, (State.COMPENSATION_REQUIRED,))


@pytest.mark.parametrize(
    ("state", "report", "step"),
    [
        (State.ATTEMPT_CREATED, PAID, Step.TAKE_ORDER),
        (State.ATTEMPT_CREATED, Paid("pi_1", 4199, "eur"), Step.COMPENSATE),
        (State.ATTEMPT_CREATED, Paid("pi_1", 4200, "usd"), Step.COMPENSATE),
        (State.ATTEMPT_CREATED, Declined("card_declined"), Step.DECLINE),
        (State.ATTEMPT_CREATED, Abandoned(), Step.ABANDON),
        (State.ATTEMPT_CREATED, Unknown("timeout"), Step.NOTHING),
        (State.PAYMENT_DECLINED, PAID, Step.COMPENSATE),
        (State.PAYMENT_ABANDONED, PAID, Step.COMPENSATE),
        (State.PAYMENT_ABANDONED, Declined("card_declined"), Step.NOTHING),
        (State.COMPENSATION_REQUIRED, PAID, Step.NOTHING),
        (State.COMPENSATION_COMPLETE, PAID, Step.NOTHING),
        (State.EVENT_RECORDED, PAID, Step.NOTHING),
        (State.EVENT_RECORDED, Declined("card_declined"), Step.NOTHING),
        (State.EVENT_PUBLISHED, Declined("card_declined"), Step.NOTHING),
        (State.EVENT_PUBLISHED, Abandoned(), Step.NOTHING),
    ],
)
def test_news_moves_an_attempt_only_where_it_is_not_old(state: State, report: object, step: Step) -> None:
    assert decide(state, 4200, "eur", report) is step  # type: ignore[arg-type]
