"""The standard plan: two checkouts and their four callbacks on `checkout:reference`, every invariant checked.

How many runs per second a core does, and where the time of a run goes. The shares come from runs of their own whose
parts are timed; each part counts what it does itself, not what it calls of another part:

* PostgreSQL: from the bytes that go to a real session until its whole answer is back.
* the target: everything inside a process's loop, so the service with FastAPI, asyncpg, redis-py, httpx and stripe.
* the provider and Redis: their own code.
* the harness: all else in the run, from the network to the invariants.
* fork and hand-over: what the parent waits beyond that.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from statistics import median
from typing import Any

from fake_provider import Provider, Request
from harness import Dependency, Plan, Scenario, Target
from harness.run import Run
from harness.sim.connection import Connection
from harness.sim.loop import GuestLoop
from harness.sim.postgres.session import Session
from harness.sim.redis import RedisNode
from harness.sim.runner import SimRunner
from harness.world import World
from scenarios.invariants import INVARIANTS
from scenarios.workload import buy, inputs, order
from targets.provider_node import ProviderNode
from targets.wiring import CHECKOUT, PROVIDER
from tests.bench.figures import clock_us, cost_of, family_cpu_us, median_of, row, tree_cpu_us

ROUNDS, EACH, WARM = 10, 5, 5
TIMED = 25
AIM_PER_SECOND = 40
CALLBACKS = ("charge.succeeded", "payment_intent.succeeded")
PARTS = ("PostgreSQL", "the target", "the provider", "Redis", "the harness", "fork and hand-over")


def two_callbacks_each(host: Any) -> ProviderNode:
    """The provider of the catalogue, its endpoint subscribed to two kinds of event."""
    node: ProviderNode = PROVIDER.service(host)
    events = "&".join(f"enabled_events[]={kind}" for kind in CALLBACKS)
    headers = {"authorization": "Bearer sk_test_1", "content-type": "application/x-www-form-urlencoded"}
    request = Request("POST", "/v1/webhook_endpoints/we_1", headers, events.encode())
    node._provider.receive(request, host.now_us)
    return node


TARGET = Target(
    "checkout",
    CHECKOUT.processes,
    postgres=CHECKOUT.schema,
    redis=True,
    env=CHECKOUT.env,
    dependencies=[Dependency("provider", two_callbacks_each, callback_kind="type")],
    builds=list(CHECKOUT.builds.values()),
)


async def two_checkouts(world: World) -> None:
    """Two customers buy an order each, at the same time."""
    ana, ben = world.clients("ana", "ben")
    await world.together(buy(ana, order(world, "o-1"), "key-1"), buy(ben, order(world, "o-2"), "key-2"))


SCENARIO = Scenario(two_checkouts, TARGET, invariants=INVARIANTS, inputs=inputs)


class Timed(SimRunner):
    """Times the parts of each run in its child, and hands them back with the run."""

    @property
    def server_pid(self) -> int:
        """The PostgreSQL server, for its CPU time."""
        assert self._database is not None
        return int((self._database.cluster.folder / "pid").read_text())

    def _inline(self, *arguments: Any, **options: Any) -> Run:
        book = PARTS_BOOK
        book.spent.clear()
        book.part = "the harness"
        book.since_us = clock_us()
        run = super()._inline(*arguments, **options)
        book.turn_to("")
        run.exports = {"bench": [dict(book.spent)]}
        return run


class Book:
    """Adds up the time of each part; whoever runs now is `part`."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.part = ""
        self.since_us = 0.0

    def turn_to(self, part: str) -> str:
        """From now on the time is this part's; returns whose it was."""
        now_us = clock_us()
        previous, self.part = self.part, part
        self.spent[previous] += now_us - self.since_us  # type: ignore[assignment]
        self.since_us = now_us
        return previous


PARTS_BOOK = Book()


def charged(method: Callable[..., Any], part: str) -> Callable[..., Any]:
    """The method, with its time charged to a part."""

    def call(*arguments: Any, **options: Any) -> Any:
        previous = PARTS_BOOK.turn_to(part)
        try:
            return method(*arguments, **options)
        finally:
            PARTS_BOOK.turn_to(previous)

    return call


MEASURED: tuple[tuple[type, str, str], ...] = (
    (Session, "send", "PostgreSQL"),
    (Session, "poll", "PostgreSQL"),
    (GuestLoop, "enter", "the target"),
    (Connection, "send_request_bytes", "the harness"),
    (Connection, "send_reply", "the harness"),
    (Connection, "close", "the harness"),
    (RedisNode, "received", "Redis"),
    (Provider, "receive", "the provider"),
    (Provider, "advance", "the provider"),
    (Provider, "delivered", "the provider"),
    (Provider, "sign", "the provider"),
)


def shares(runner: SimRunner, count: int = TIMED) -> dict[str, float]:
    """The share of each part in a run, from 0 to 1: medians, so they add up to about 1."""
    real = [(owner, name, getattr(owner, name)) for owner, name, _ in MEASURED]
    for owner, name, part in MEASURED:
        setattr(owner, name, charged(getattr(owner, name), part))
    try:
        runs = [runner.run(SCENARIO, Plan(number)) for number in range(count)]
    finally:
        for owner, name, method in real:
            setattr(owner, name, method)
    found: dict[str, list[float]] = {part: [] for part in PARTS}
    for run in runs:
        (spent,) = run.exports["bench"]
        spent["fork and hand-over"] = run.wall_us - sum(spent.values())
        for part in PARTS:
            found[part].append(spent.get(part, 0.0) / run.wall_us)
    return {part: median(values) for part, values in found.items()}


def main() -> None:
    """Measures and prints."""
    with closing(Timed(TARGET, "reference")) as runner:
        run = runner.run(SCENARIO, Plan(1))
        check(run)
        for number in range(WARM):
            runner.run(SCENARIO, Plan(number))
        server = runner.server_pid
        cost = median_of(
            [
                cost_of(
                    lambda number: runner.run(SCENARIO, Plan(number)),
                    range(first, first + EACH),
                    lambda: family_cpu_us() + tree_cpu_us(server),
                )
                for first in range(0, ROUNDS * EACH, EACH)
            ]
        )
        parts = shares(runner)
    print(
        f"the standard plan on checkout:reference: 2 checkouts, 4 callbacks, {len(run.deliveries)} messages;"
    )
    print(f"one worker, a fork for each run; median of {ROUNDS} rounds of {EACH} runs")
    print(row("runs per second, by the clock", f"{1e6 / cost.wall_us:.1f}"))
    print(row("runs per second of CPU, all processes", f"{cost.per_cpu_second:.1f}"))
    print(row("aim, on an idle core", f"{AIM_PER_SECOND}"))
    print(row("virtual time to real time", f"{run.virtual_us / cost.wall_us:.0f} : 1"))
    print(f"where the time of a run goes (by the clock, median of {TIMED} timed runs)")
    for part in PARTS:
        print(row(part, f"{parts[part]:.0%}"))


def check(run: Run) -> None:
    """The plan is what its name says."""
    callbacks = [
        str(one.name) for one in run.deliveries if one.name.link == "provider>api" and not one.name.is_reply
    ]
    if run.verdict != "pass" or len(callbacks) != 4 or len(run.outcomes) != 2:
        raise SystemExit(
            f"bench: the standard plan ended {run.verdict} with {callbacks}: {run.error or run.violations}"
        )
