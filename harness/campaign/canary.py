"""The canary: a scenario that must fail. Every campaign searches it, and trusts itself only when it is found.

A customer orders once, and orders again when no answer came. The service has no notion of a repeated order,
so one lost answer is enough to count it twice: to see that, faults must be drawn, injected, felt and judged.
"""

from typing import Any

from harness.invariant import State, always
from harness.scenario import scenario
from harness.target import Process, Target

PATIENCE_US = 2_000_000

service = Target("canary", [Process("counter", asgi="harness.campaign.canary_service:app")])


@scenario(service, faults=["lost_reply"])
async def canary(world: Any) -> None:
    """One order, sent again when the answer is lost."""
    (customer,) = world.clients("customer")
    first = await customer.post("/orders", timeout_us=PATIENCE_US)
    if first.kind == "unknown":
        await customer.post("/orders")
    await customer.get("/orders")


@canary.invariant(always)
def counted_once(state: State) -> int:
    """One order is counted once."""
    told = [
        outcome.body["counted"]
        for outcome in state.outcomes
        if outcome.method == "GET" and outcome.kind == "ok"
    ]
    for counted in told:
        if counted != 1:
            state.violated("order", f"The customer ordered once; {counted} orders were counted.")
    return len(told)
