"""A little simulated world for testing the search: threads of generators that send named messages.

It knows what the search needs and no more: faults on messages, constraints, policies, and virtual time.
"""

import hashlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from harness import Process, Target
from harness.history import Delivery, Event
from harness.names import MessageName, NameBook
from harness.plan import Plan
from harness.policy import Candidate, make_policy
from harness.run import Run, Violation
from harness.scenario import Scenario

LATENCY_US = 1_000
TIMEOUT_US = 3_000_000


@dataclass(frozen=True)
class Call:
    """A request and the wait for its answer; None stands for a time-out."""

    destination: str
    kind: str
    apply: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Sleep:
    us: int


Thread = Generator[Call | Sleep, Any, None]


@dataclass(eq=False)
class _Flight:
    """Something due at a time: a message (with a name) or a timer."""

    arrival_us: int
    order: int
    action: Callable[[], None]
    name: MessageName | None = None
    sent_us: int = 0


@dataclass
class SmallWorld:
    plan: Plan
    now_us: int = 0
    violations: list[Violation] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    flights: list[_Flight] = field(default_factory=list)
    infeasible: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inputs = dict(self.plan.inputs)
        self.hits = [False] * len(self.plan.faults)
        self._names = NameBook()
        self._policy = make_policy(self.plan.policy, self.plan.seed)
        self._orders = 0
        self._delivered: set[str] = set()

    def start(self, node: str, thread: Thread, after_us: int = 0) -> None:
        self._later(after_us, lambda: self._resume(node, thread, None))

    def violated(self, invariant: str, entity: str, sentence: str) -> None:
        if (invariant, entity) not in [violation.signature for violation in self.violations]:
            self.violations.append(Violation(invariant, entity, sentence, self.now_us))

    def go(self) -> None:
        while self.flights:
            ready = sorted(
                filter(self._may_go, self.flights), key=lambda flight: (flight.arrival_us, flight.order)
            )
            if not ready:
                open_ones = {
                    i for i, item in enumerate(self.plan.constraints) if item.before not in self._delivered
                }
                self.infeasible.extend(sorted(open_ones - set(self.infeasible)))
                continue
            flight = self._choose(ready)
            self.flights.remove(flight)
            self.now_us = max(self.now_us, flight.arrival_us)
            if flight.name is not None:
                self._delivered.add(str(flight.name))
                delivery = Delivery(
                    flight.name,
                    "postgres" if self._is_store(flight.name) else "http",
                    flight.sent_us,
                    self.now_us,
                )
                self.deliveries.append(delivery)
                self.events.append(Event(self.now_us, "delivered", flight.name.receiver, str(flight.name)))
            flight.action()

    def _is_store(self, name: MessageName) -> bool:
        return name.destination == "postgres"

    def _may_go(self, flight: _Flight) -> bool:
        return flight.name is None or all(
            item.after != str(flight.name) or item.before in self._delivered or index in self.infeasible
            for index, item in enumerate(self.plan.constraints)
        )

    def _choose(self, ready: list[_Flight]) -> _Flight:
        """The policy's message, or the timer that comes before it."""
        first = ready[0]
        if first.name is None:
            return first
        until_us = first.arrival_us + self._policy.window_us
        near = [flight for flight in ready if flight.name is not None and flight.arrival_us <= until_us]
        chosen = near[self._policy.choose([Candidate(f.name, f.arrival_us, f.order) for f in near if f.name])]
        timers = [flight for flight in ready if flight.name is None and flight.arrival_us < chosen.arrival_us]
        return timers[0] if timers else chosen

    def _later(self, delay_us: int, action: Callable[[], None], name: MessageName | None = None) -> _Flight:
        self._orders += 1
        flight = _Flight(self.now_us + delay_us, self._orders, action, name, self.now_us)
        self.flights.append(flight)
        return flight

    def _resume(self, node: str, thread: Thread, value: Any) -> None:
        try:
            step = thread.send(value)
        except StopIteration:
            return
        if isinstance(step, Sleep):
            self._later(step.us, lambda: self._resume(node, thread, None))
            return
        name = self._names.name(node, step.destination, step.kind)

        def end(value: Any) -> None:
            """The answer or the time-out, whichever comes first."""
            if timeout in timers:
                timers.remove(timeout)
                self.flights = [flight for flight in self.flights if flight is not timeout]
                self._resume(node, thread, value)

        self._send(name, lambda: self._answer(name, step, end))
        timeout = self._later(TIMEOUT_US, lambda: end(None))
        timers = [timeout]

    def _answer(self, name: MessageName, step: Call, end: Callable[[Any], None]) -> None:
        value = step.apply()
        self._send(name.reply, lambda: end(value))

    def _send(self, name: MessageName, action: Callable[[], None]) -> None:
        delay_us = LATENCY_US
        for index, fault in enumerate(self.plan.faults):
            if fault.at != str(name):
                continue
            self.hits[index] = True
            if fault.kind in ("lost_request", "lost_reply"):
                return
            if fault.kind in ("late_request", "late_reply"):
                delay_us += fault.number("delay_us")
        self._later(delay_us, action, name)


Program = Callable[[SmallWorld], None]
INVARIANTS = ("duplicate_charge", "lost_update", "deep_race", "too_many_items")


@dataclass
class SmallRunner:
    """Runs a program under plans, and remembers the plans."""

    program: Program
    plans: list[Plan] = field(default_factory=list)
    noise: Callable[[int], str] = lambda count: ""

    def run(self, scenario: Scenario, plan: Plan, *, detail: bool = False) -> Run:
        self.plans.append(plan)
        world = SmallWorld(plan)
        self.program(world)
        world.go()
        text = f"{world.events}{world.violations}{self.noise(len(self.plans))}"
        violated = {violation.invariant for violation in world.violations}
        return Run(
            scenario.name,
            "default",
            plan,
            "fail" if violated else "pass",
            violations=world.violations,
            invariants={name: "violated" if name in violated else "held" for name in INVARIANTS},
            digest=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
            steps=len(world.deliveries),
            virtual_us=world.now_us,
            deliveries=world.deliveries,
            hits=world.hits,
            infeasible=world.infeasible,
            events=[*world.events, Event(0, "noted", "", self.noise(len(self.plans)))] if detail else [],
        )


def small_scenario(name: str = "small", **options: Any) -> Scenario:
    target = Target("shop", [Process("api", asgi="shop:app"), Process("worker", main="shop:worker")])

    async def workload(world: Any) -> None:
        """Never run: the small world has programs of its own."""

    return Scenario(workload, target, name=name, **options)


# Programs


def charge_with_retry(world: SmallWorld) -> None:
    """An API that charges again after a time-out, with another key."""
    charges: list[int] = []

    def charge() -> str:
        charges.append(world.now_us)
        if len(charges) > 1:
            world.violated("duplicate_charge", "o-1", f"Order o-1 was charged {len(charges)} times.")
        return "succeeded"

    def checkout() -> Thread:
        yield Call("postgres", "INSERT orders")
        for _ in range(2):
            answer = yield Call("provider", "POST /charges", charge)
            if answer is not None:
                break
        yield Call("postgres", "UPDATE orders")
        yield Call("postgres", "COMMIT")

    world.start("api", checkout())


def lost_update(world: SmallWorld) -> None:
    """Two read-then-write threads; the second one starts when the first is through, in a quiet network."""
    stock = [10]

    def set_to(value: int) -> None:
        stock[0] = value

    def buy() -> Thread:
        seen = yield Call("postgres", "SELECT stock", lambda: stock[0])
        yield Call("postgres", "SELECT prices")
        yield Call("postgres", "UPDATE stock", lambda: set_to((seen or 0) - 1))
        yield Call("postgres", "UPDATE sales", check)

    sold: list[int] = []

    def check() -> None:
        sold.append(1)
        if len(sold) == 2 and stock[0] != 8:
            world.violated("lost_update", "item-1", f"2 were sold and {stock[0]} of 10 are left.")

    world.start("api", buy())
    world.start("worker", buy(), after_us=7_000)


def deep_race(world: SmallWorld) -> None:
    """Fails when three writes come in exactly the order that is the unlikeliest: two constraints in a crowd."""
    stage = [0]

    def advance(expected: int) -> None:
        if stage[0] == expected:
            stage[0] += 1
        if stage[0] == 3:
            world.violated("deep_race", "s-1", "Stage 3 was reached.")

    def walk(steps: int, at: int, expected: int) -> Thread:
        for step in range(steps):
            yield Call(
                "postgres", "UPDATE stages", (lambda: advance(expected)) if step == at else lambda: None
            )

    world.start("api", walk(12, 7, 0))
    world.start("worker", walk(12, 5, 1))
    world.start("mailer", walk(12, 3, 2))


def too_many_items(world: SmallWorld) -> None:
    """Fails for some inputs only, once an answer is lost."""

    def order() -> Thread:
        answer = yield Call("postgres", "INSERT items", lambda: "stored")
        if answer is None and world.inputs["items"] >= 3:
            world.violated("too_many_items", "o-1", f"{world.inputs['items']} items were lost.")

    world.start("api", order())
