"""How the benches measure: many short rounds, in CPU time and by the clock, and the median of them."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

# Taken before a simulation replaces them: a bench wants real time in its midst.
clock_us: Callable[[], float] = lambda now_ns=time.perf_counter_ns: now_ns() / 1_000  # noqa: E731
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Microseconds of one run."""

    cpu_us: float
    wall_us: float

    @property
    def per_cpu_second(self) -> float:
        """Runs per second of one core that does nothing else."""
        return 1_000_000 / self.cpu_us


Run = Callable[[int], object]
"""One run; gets its number."""


def costs_of(one: Run, other: Run, *, rounds: int, each: int) -> tuple[Cost, Cost]:
    """What the runs of two arms cost, measured in turns; the first round is not counted."""
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for first in range(0, (rounds + 1) * each, each):
        for run, found in zip((one, other), costs, strict=True):
            found.append(cost_of(run, range(first, first + each), own_cpu_us))
    return median_of(costs[0][1:]), median_of(costs[1][1:])


def cost_of(run: Run, numbers: range, cpu_us: Callable[[], float]) -> Cost:
    """What a run of this round costs; `cpu_us` reads the CPU time that all of it has used."""
    cpu_before, wall_before = cpu_us(), clock_us()
    for number in numbers:
        run(number)
    return Cost((cpu_us() - cpu_before) / len(numbers), (clock_us() - wall_before) / len(numbers))


def median_of(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(median(cost.cpu_us for cost in costs), median(cost.wall_us for cost in costs))


def own_cpu_us() -> float:
    """CPU time of this process."""
    return time.process_time_ns() / 1_000


def family_cpu_us() -> float:
    """CPU time of this process and of its children that have ended."""
    spent = os.times()
    return (spent.user + spent.system + spent.children_user + spent.children_system) * 1_000_000


def tree_cpu_us(pid: int) -> float:
    """CPU time of a process, its children now alive and those that have ended (a PostgreSQL server)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return ticks * TICK_US + sum(tree_cpu_us(int(child)) for child in children)


def row(name: str, *cells: str) -> str:
    """A line of a table."""
    return f"  {name:<34}" + "".join(f"{cell:>16}" for cell in cells)
