"""Real timers fire in the order in which they are due."""

import trio
import trio.testing

from harness.live.agenda import Agenda


def test_timers_due_together_fire_in_the_order_in_which_they_were_set() -> None:
    fired: list[int] = []

    async def check() -> None:
        agenda = Agenda()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agenda.run)
            await trio.testing.wait_all_tasks_blocked()
            for number in range(20):
                agenda.call_later(50_000, lambda number=number: fired.append(number))  # type: ignore[misc]
            agenda.call_later(10_000, lambda: fired.append(-1))
            agenda.call_later(20_000, lambda: fired.append(-2)).cancel()
            await trio.sleep(1)
            nursery.cancel_scope.cancel()

    trio.run(check, clock=trio.testing.MockClock(autojump_threshold=0))
    assert fired == [-1, *range(20)]


def test_a_cleared_agenda_calls_nothing() -> None:
    fired: list[int] = []

    async def check() -> None:
        agenda = Agenda()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agenda.run)
            agenda.call_later(10_000, lambda: fired.append(1))
            agenda.clear()
            await trio.sleep(1)
            nursery.cancel_scope.cancel()

    trio.run(check, clock=trio.testing.MockClock(autojump_threshold=0))
    assert fired == []
