"""The target of `contended.py` as scenarios: contended rows, deadlocks and serialisation failures."""

from harness import Process, Target, always, scenario
from harness.invariant import State
from harness.world import World
from tests.determinism.contended import SCHEMA

CONTENDED = Target(
    "contended",
    [Process("api", asgi="tests.determinism.contended:app")],
    postgres=SCHEMA,
    env={"DATABASE_URL": "{postgres}"},
)


@scenario(CONTENDED, faults=["late_reply", "lost_reply", "latency"])
async def transfers(world: World) -> None:
    """Eight transfers at once, half of them in the opposite direction."""
    customers = world.clients(*(f"customer-{number}" for number in range(8)))
    pairs = [(1, 2), (2, 1), (2, 3), (3, 2), (1, 3), (3, 1), (4, 1), (1, 4)]
    await world.together(
        *(customer.post(f"/transfer/{a}/{b}") for customer, (a, b) in zip(customers, pairs, strict=True)),
        *(customer.post("/serial/4") for customer in customers[:3]),
    )


@transfers.invariant(always)
def money_is_conserved(state: State) -> None:
    total = state.sql("select sum(balance)::int from accounts where id < 4")
    assert total is not None


SCENARIOS = [transfers]
