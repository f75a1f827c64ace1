"""The lost-update program in the simulation and on real loopback, next to each other.

Each round runs both, so a loaded machine slows both. One run is a fresh server, two clients and their four exchanges
in either arm; the simulation also names every message, keeps a History and waits until all is quiet.
"""

import asyncio
import os
import socket
from contextlib import closing

from harness import Plan, Process, Scenario, Target
from harness.sim.runner import SimRunner
from harness.world import World
from tests.bench import counter
from tests.bench.figures import Cost, costs_of, row

ROUNDS, EACH = 25, 20
AIM_PER_SECOND = 600

TARGET = Target(
    "lost_update",
    [
        Process("server", main="tests.bench.counter:serve"),
        Process("ana", main="tests.bench.counter:client"),
        Process("ben", main="tests.bench.counter:client"),
    ],
    env={"COUNTER_HOST": "server", "COUNTER_PORT": "7000"},
    entry="server",
)


async def nothing(world: World) -> None:
    """The clients are processes; nobody else is there."""


SCENARIO = Scenario(nothing, TARGET)


class LoadedOnce(SimRunner):
    """Without forks, and with modules that are loaded once, as a forked child finds them: they keep no state."""

    def _space(self, process: Process):  # type: ignore[no-untyped-def]
        return self._spares[process.name][0]


def on_loopback() -> int:
    """The program on real sockets. The last count that was written: 1 when an update was lost."""

    async def run() -> int:
        server = await counter.listen()
        written = await asyncio.gather(counter.increment(), counter.increment())
        server.close()
        return max(written)

    return asyncio.run(run())


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def measure(rounds: int = ROUNDS, each: int = EACH) -> tuple[Cost, Cost]:
    """(simulated, on loopback)."""
    os.environ.update(COUNTER_HOST="127.0.0.1", COUNTER_PORT=str(free_port()))
    with closing(LoadedOnce(TARGET, "default", isolate=False)) as runner:
        return costs_of(
            lambda number: runner.run(SCENARIO, Plan(number)),
            lambda number: on_loopback(),
            rounds=rounds,
            each=each,
        )


def main() -> None:
    """Measures and prints."""
    simulated, loopback = measure()
    print(f"the lost-update program, median of {ROUNDS} rounds of {EACH} runs")
    print(row("", "simulated", "real loopback", "ratio"))
    for name, ours, theirs in (
        ("runs per second of CPU", simulated.per_cpu_second, loopback.per_cpu_second),
        ("runs per second, by the clock", 1e6 / simulated.wall_us, 1e6 / loopback.wall_us),
    ):
        print(row(name, f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"))
    print(row("aim, on an idle core", f"{AIM_PER_SECOND}"))
