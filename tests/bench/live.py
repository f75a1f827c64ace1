"""The live world's figures: what an idle link adds to a round trip, and how long a run takes with everything real."""

import shutil
import time
from statistics import median

import trio

from harness.fault import fault
from harness.live.link import Link
from harness.live.runner import LiveRunner
from harness.live.world import LiveWorld
from harness.plan import Plan
from harness.scenario import Scenario
from harness.sim.runner import SimRunner
from harness.target import Process, Target
from harness.world import World
from scenarios.suite import SCENARIOS
from targets.wiring import CHECKOUT

PINGS = 300
LIVE_RUNS = 3
SIMULATED_RUNS = 20
PLAN = Plan(
    1,
    {"amount": 4200, "quantity": 1},
    faults=(fault("late_reply", "api>provider POST /v1/payment_intents#1.reply", delay_us=500_000),),
)
COUNTER = Target("counter", [Process("api", asgi="tests.live.services:app")], redis=True)


def main() -> None:
    if shutil.which("toxiproxy-server") is None:
        print("not measured: toxiproxy-server is not on PATH (`paychaos doctor` says how to get it)")
        return
    simulated_s = _seconds_per_run_simulated()
    _print_link()
    warm_s, fresh_s = _seconds_per_run(fresh=False), _seconds_per_run(fresh=True)
    print(
        f"one run of lost_reply on reference, live: {warm_s:.1f} s with processes kept, {fresh_s:.1f} s with new ones"
    )
    print(
        f"  in the simulation: {simulated_s * 1e3:.0f} ms, {warm_s / simulated_s:,.0f} times as fast as live"
    )


def _seconds_per_run(*, fresh: bool) -> float:
    runner = LiveRunner(CHECKOUT, "reference", fresh=fresh)
    try:
        runner.run(_scenario(), PLAN)
        started = time.perf_counter()
        for _ in range(LIVE_RUNS):
            runner.run(_scenario(), PLAN)
        return (time.perf_counter() - started) / LIVE_RUNS
    finally:
        runner.close()


def _seconds_per_run_simulated() -> float:
    runner = SimRunner(CHECKOUT, "reference")
    try:
        runner.run(_scenario(), PLAN)
        wall_us = [runner.run(_scenario(), PLAN).wall_us for _ in range(SIMULATED_RUNS)]
        return median(wall_us) / 1e6
    finally:
        runner.close()


def _scenario() -> Scenario:
    return next(each for each in SCENARIOS if each.name == "lost_reply")


def _print_link() -> None:
    trips: dict[str, float] = {}

    async def ping(world: World) -> None:
        assert isinstance(world, LiveWorld)
        link = world.rig.link("ana", "ana", "redis")
        server = world.rig.infrastructure.redis
        assert server is not None
        toxiproxy_only = await _toxiproxy_port(link)
        for name, port in (
            ("direct", server.address.port),
            ("toxiproxy", toxiproxy_only),
            ("link", link.port),
        ):
            trips[name] = await _median_trip_us(port)

    runner = LiveRunner(COUNTER, "default", fresh=False)
    try:
        runner.run(Scenario(ping, COUNTER), Plan(1))
    finally:
        runner.close()
    print(
        f"round trip of a Redis PING: direct {trips['direct']:.0f} us, through Toxiproxy {trips['toxiproxy']:.0f} us,"
    )
    print(f"  through an idle link (gate and Toxiproxy) {trips['link']:.0f} us: the gate adds "
          f"{trips['link'] - trips['toxiproxy']:.0f} us")  # fmt: skip


async def _toxiproxy_port(link: Link) -> int:
    """The port of a proxy that the link has left behind for its next connection."""
    async with await trio.open_tcp_stream("127.0.0.1", link.port) as stream:
        await stream.send_all(b"PING\r\n")
        await stream.receive_some()
        return next(iter(link.connections)).proxy.port


async def _median_trip_us(port: int) -> float:
    took = []
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        for _ in range(PINGS):
            started = time.perf_counter_ns()
            await stream.send_all(b"PING\r\n")
            await stream.receive_some()
            took.append((time.perf_counter_ns() - started) / 1e3)
    return median(took)


if __name__ == "__main__":
    main()
