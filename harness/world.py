"""The world as a scenario and the engine see it; `SimWorld` and `LiveWorld` are its two kinds.

A workload uses the upper half (customers, time, randomness). The engine uses the lower half, in the order in which
the methods stand.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any, TypeVar

import trio

from harness.client import Client, Outcome
from harness.invariant import State
from harness.plan import Plan
from harness.run import Run
from harness.seed import child_random

T = TypeVar("T")


class World(ABC):
    """Everything one run contains."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.inputs: Mapping[str, Any] = dict(plan.inputs)
        self.random: Random = child_random(plan.seed, "workload")
        self.outcomes: list[Outcome] = []
        self.on_outcome: Callable[[Outcome], None] = lambda outcome: None

    # What a workload uses

    def client(self, name: str) -> Client:
        """A customer of this name; the same name gives a client of the same node."""
        return Client(name, self.request, lambda: self.elapsed_us, self._outcome)

    def clients(self, *names: str) -> list[Client]:
        return [self.client(name) for name in names]

    async def together(self, *operations: Awaitable[T]) -> list[T]:
        """Runs the operations side by side; their results, in the order given."""
        results: dict[int, T] = {}

        async def run(index: int, operation: Awaitable[T]) -> None:
            results[index] = await operation

        async with trio.open_nursery() as nursery:
            for index, operation in enumerate(operations):
                nursery.start_soon(run, index, operation)
        return [results[index] for index in range(len(operations))]

    @property
    @abstractmethod
    def elapsed_us(self) -> int:
        """Microseconds since the start of the run."""

    @abstractmethod
    async def sleep_us(self, duration_us: int) -> None:
        """Waits in the world's time."""

    @abstractmethod
    async def request(self, node: str, request: Any, timeout_us: int) -> Any:
        """Sends a customer's request (harness.client.Request)."""

    def _outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.on_outcome(outcome)

    # What the engine uses, in this order

    @abstractmethod
    def alive(self) -> AbstractAsyncContextManager[None]:
        """The world exists inside the block; raises what made it end early."""

    @abstractmethod
    async def boot(self) -> None:
        """Starts every process and returns when all are ready."""

    @abstractmethod
    async def drain(self) -> None:
        """After the workload: lets traffic and planned faults run on for a bounded time."""

    @abstractmethod
    def heal(self) -> None:
        """Undoes every fault, starts what is down, and injects no further ones."""

    @abstractmethod
    async def settle(self, is_settled: Callable[[], bool], limit_us: int) -> None:
        """Lets the healed world run until nothing is pending and `is_settled`, at most `limit_us`."""

    @property
    @abstractmethod
    def state(self) -> State:
        """What invariants look at."""

    @abstractmethod
    def report(self, run: Run, detail: bool) -> None:
        """Fills in what this world recorded: digest, deliveries, hits, constraints, and with `detail` the rest."""
