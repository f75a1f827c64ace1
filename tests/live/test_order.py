"""Constraints at the gate: who is held, who may go, and what counts as enforced."""

import trio
import trio.testing

from harness.live.order import LiveOrder
from harness.plan import Constraint

A, B, C = "a>s GET /x#1", "b>s GET /x#1", "c>s GET /x#1"


def test_a_message_waits_for_the_one_that_must_come_before_it() -> None:
    async def check() -> None:
        order = LiveOrder([Constraint(A, B)])
        came: list[str] = []

        async def later() -> None:
            await order.wait(B, 30)
            came.append(B)
            order.passed(B)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(later)
            await trio.testing.wait_all_tasks_blocked()
            assert came == []
            assert order.is_awaited(A)
            order.delivered(A)
        assert came == [B]
        assert order.enforced == [True]
        assert order.infeasible == []

    trio.run(check)


def test_a_wait_that_lasts_too_long_is_given_up_as_infeasible() -> None:
    async def check() -> None:
        order = LiveOrder([Constraint(A, B)])
        await order.wait(B, 5)
        order.passed(B)
        assert order.enforced == [False]
        assert order.infeasible == [0]
        assert not order.must_wait(B)

    trio.run(check, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_constraint_on_a_lost_message_holds_nobody() -> None:
    order = LiveOrder([Constraint(A, B)])
    order.lost(A)
    assert not order.must_wait(B)
    assert order.infeasible == [0]


def test_an_order_that_came_about_by_itself_counts_as_enforced() -> None:
    order = LiveOrder([Constraint(A, B), Constraint(C, B)])
    order.delivered(A)
    order.passed(B)
    assert order.enforced == [True, False]


def test_a_message_waits_for_all_that_must_come_before_it() -> None:
    order = LiveOrder([Constraint(A, C), Constraint(B, C)])
    order.delivered(A)
    assert order.must_wait(C)
    order.delivered(B)
    assert not order.must_wait(C)
