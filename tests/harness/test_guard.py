"""A mistake in a scenario's own code is told once, in one line, with its place."""

from pathlib import Path
from typing import Any

import pytest
import trio

from harness import Process, Scenario, Target, always
from harness.errors import LimitExceeded, UsageError
from harness.guard import guard
from harness.world import World

FILE = Path(__file__).name


def guarded(workload: Any) -> Scenario:
    made = Scenario(workload, Target("t", [Process("api", asgi="no_such_service:app")]))
    guard(made)
    return made


def error_of(workload: Any) -> str:
    with pytest.raises(UsageError) as caught:
        trio.run(guarded(workload).workload, None)
    return str(caught.value)


def line_of(function: Any, after: int) -> str:
    return f"{FILE}:{function.__code__.co_firstlineno + after}: "


async def asks_a_wrong_question(world: World) -> None:
    raise UsageError("the query 'select 1 from ticket' failed.")


async def checks_on_the_way(world: World) -> None:
    raise UsageError("other.py:3: the query failed.")


async def forgets_to_wait(world: World) -> None:
    trio.sleep(1)  # type: ignore[unused-coroutine]


async def misspells(world: World) -> None:
    trio.slep(1)  # type: ignore[attr-defined]


async def meets_a_limit(world: World) -> None:
    raise LimitExceeded("too long.")


def test_a_mistake_that_we_found_gets_its_place() -> None:
    assert error_of(asks_a_wrong_question) == (
        line_of(asks_a_wrong_question, 1) + "the query 'select 1 from ticket' failed."
    )


def test_a_place_is_told_once() -> None:
    assert error_of(checks_on_the_way) == "other.py:3: the query failed."


def test_what_is_not_awaited_is_a_mistake() -> None:
    assert error_of(forgets_to_wait) == (
        line_of(forgets_to_wait, 1) + "coroutine 'sleep' was never awaited. Write `await` in front of it."
    )


def test_a_misspelt_name_is_answered_with_the_near_one() -> None:
    assert error_of(misspells) == (
        line_of(misspells, 1) + "AttributeError: module 'trio' has no attribute 'slep'. Did you mean 'sleep'?"
    )


def test_what_is_no_mistake_passes_as_it_is() -> None:
    with pytest.raises(LimitExceeded, match=r"^too long\.$"):
        trio.run(guarded(meets_a_limit).workload, None)


def test_a_check_keeps_its_assertion_and_places_the_rest() -> None:
    made = guarded(meets_a_limit)

    @made.invariant(always)
    def holds(state: Any) -> None:
        assert state, "it does not hold"
        raise UsageError("no such table.")

    guard(made)
    with pytest.raises(AssertionError, match="it does not hold"):
        made.invariants[0].check(None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=rf"^{FILE}:\d+: no such table\.$"):
        made.invariants[0].check(True)  # type: ignore[arg-type]
