"""Drives a simulated world inside trio: lets workload tasks run, then takes one step, and so on.

This module holds our only grip on trio's insides: two switches that make its scheduler deterministic. With the
seed alone, order leaks memory addresses; `import hypothesis` sets the flag by itself, so it must always be set.
"""

from __future__ import annotations

import math
import random

import trio
import trio._core._run as trio_run
import trio.testing

from harness.errors import LimitExceeded
from harness.sim.network import Network


def make_trio_deterministic(seed: int) -> None:
    """To be called before every `trio.run` of a simulation."""
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio_run._r = random.Random(seed)


class Driver:
    """Steps a network until it is stopped. `touch()` says that a trio task may have become runnable."""

    def __init__(self, network: Network, clock: trio.testing.MockClock) -> None:
        self._network = network
        self._clock = clock
        self._shown_us = network.agenda.now_us
        self._touched = True
        self._trio_us: int | None = None
        self.limit_us = math.inf
        self.is_stopped = False

    def touch(self) -> None:
        self._touched = True

    async def run(self) -> None:
        """Returns when stopped. Raises LimitExceeded when a limit is passed or nothing can ever happen again."""
        while not self.is_stopped:
            if self._touched:
                self._touched = False
                self._show_time()
                await trio.testing.wait_all_tasks_blocked()
                self._trio_us = self._next_trio_us()
                continue
            self._step()
            if self._network.fatal is not None:
                raise self._network.fatal

    def _step(self) -> None:
        network = self._network
        due_us = network.next_us()
        trio_us = self._trio_us
        if trio_us is not None and (due_us is None or trio_us <= due_us):
            network.agenda.now_us = max(network.agenda.now_us, trio_us)
            self._touched = True
            return
        if due_us is None:
            if not network.give_up_holding():
                raise LimitExceeded(
                    "nothing is left that could happen, and the workload still waits: no message is in flight and"
                    " no timer is set. Give the waiting call a time-out."
                )
            return
        if due_us > self.limit_us:
            raise LimitExceeded(
                f"the run passed {network.agenda.elapsed_us / 1e6:.0f} s of virtual time before its workload ended;"
                " raise Limits(virtual_us=…), or look for a call without a time-out."
            )
        network.step()

    def _next_trio_us(self) -> int | None:
        """trio's own next deadline (a workload's `trio.sleep`); it changes only while trio tasks run."""
        seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
        return None if math.isinf(seconds) else self._shown_us + max(0, math.ceil(seconds * 1e6))

    def _show_time(self) -> None:
        passed_us = self._network.agenda.now_us - self._shown_us
        if passed_us > 0:
            self._clock.jump(passed_us / 1e6)
            self._shown_us = self._network.agenda.now_us
