"""Three walkers, and the one order of their steps that does harm: a scenario file as a user would write it."""

from typing import Any

from harness import Process, Target, always, scenario

STEPS = 10

stages = Target("stages", [Process("store", asgi="stages_service:app")])


async def walk(client: Any, advance: int, at: int) -> None:
    """Ten requests, one of them the one that matters."""
    for step in range(STEPS):
        await client.post(f"/advance/{advance}" if step == at else "/noise")


@scenario(stages)
async def three_walkers(world: Any) -> None:
    """In a quiet network the three requests come in the opposite of the order that does harm."""
    last, middle, first = world.clients("last", "middle", "first")
    await world.together(walk(last, 2, 3), walk(middle, 1, 4), walk(first, 0, 5))


@three_walkers.invariant(always)
def stage_3_is_never_reached(state: Any) -> int:
    """Stage 3 is never reached."""
    reached = [outcome.body["stage"] for outcome in state.outcomes if outcome.kind == "ok"]
    if max(reached, default=0) >= 3:
        state.violated("stages", "Stage 3 was reached.")
    return len(reached)
