"""Clocks and randomness as a simulated process sees them: virtual, seeded, and a stream of its own per process.

While a guest process runs, `time`, `datetime`, `random`, `secrets`, `uuid`, `os.urandom` and `os.environ` answer
for that process; at any other moment they answer as usual, so the harness and its libraries are undisturbed. The clock
of the operating system is replaced by time-machine for the length of a run; what it leaves out (monotonic clocks)
and the random sources are replaced here. This is the only module that touches them.
"""

import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

import time_machine

from harness.errors import PaychaosError
from harness.sim.clock import START_US, Agenda


class Guest(Protocol):
    """The process that is running now, as far as its surroundings are concerned."""

    name: str
    random: random.Random
    environ: dict[str, str]
    skew_us: int

    def refuse(self, what: str, remedy: str) -> PaychaosError:
        """The error for something that the simulation does not model; it ends the run."""


current: Guest | None = None
"""Set by `harness.sim.process` while a guest runs, None otherwise."""

real_perf_counter_ns = time.perf_counter_ns
_UUID_NODE = 0x0242AC110002
_RANDOM_FUNCTIONS = (
    "random", "uniform", "triangular", "randint", "choice", "randrange", "sample", "shuffle", "choices",
    "normalvariate", "lognormvariate", "expovariate", "vonmisesvariate", "gammavariate", "gauss", "betavariate",
    "binomialvariate", "paretovariate", "weibullvariate", "getrandbits", "randbytes", "getstate", "setstate", "seed",
)  # fmt: skip


class Clocks:
    """The clocks of one run: follow the agenda, plus the skew of the process that is running."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._travel = time_machine.travel(START_US // 1_000_000, tick=False)
        self._shown_us = START_US
        self._traveller: Any = None

    def start(self) -> None:
        self._traveller = self._travel.start()

    def stop(self) -> None:
        self._travel.stop()

    def show(self, skew_us: int) -> None:
        """Makes every clock read virtual time as a process with this skew sees it."""
        wanted_us = self._agenda.now_us + skew_us
        if wanted_us != self._shown_us:
            self._traveller.shift(timedelta(microseconds=wanted_us - self._shown_us))
            self._shown_us = wanted_us


class _Environ(MutableMapping[str, str]):
    """`os.environ` that shows a guest its own variables. Everything else reaches the real mapping."""

    def __init__(self, real: "os._Environ[str]") -> None:
        self._real = real

    @property
    def _now(self) -> MutableMapping[str, str]:
        return self._real if current is None else current.environ

    def __getitem__(self, key: str) -> str:
        return self._now[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._now[key] = value

    def __delitem__(self, key: str) -> None:
        del self._now[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def copy(self) -> dict[str, str]:
        return dict(self._now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _dispatch(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return real(*args, **kwargs) if current is None else getattr(current.random, name)(*args, **kwargs)

    function.__name__ = name
    return function


def _urandom(size: int, /) -> bytes:
    return _real_urandom(size) if current is None else current.random.randbytes(size)


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    if a is None and current is not None and self is not current.random:
        a = current.random.getrandbits(64)
    _real_seed(self, a, version)


def _monotonic_ns() -> int:
    return _real_monotonic_ns() if current is None else time.time_ns()


def _monotonic() -> float:
    return _real_monotonic() if current is None else time.time()


def _perf_counter_ns() -> int:
    return real_perf_counter_ns() if current is None else time.time_ns()


def _perf_counter() -> float:
    return _real_perf_counter() if current is None else time.time()


def _sleep(seconds: float, /) -> None:
    if current is None:
        _real_sleep(seconds)
        return
    raise current.refuse(f"time.sleep({seconds})", "It would stop the whole process; use asyncio.sleep.")


_real_urandom = os.urandom
_real_seed = random.Random.seed
_real_monotonic, _real_monotonic_ns = time.monotonic, time.monotonic_ns
_real_perf_counter, _real_sleep = time.perf_counter, time.sleep


@contextmanager
def virtual_surroundings() -> Iterator[None]:
    """Installs the dispatching functions for the length of the block (once; blocks do not nest)."""
    replaced: list[tuple[Any, str, Any]] = []

    def replace(owner: Any, name: str, value: Any) -> None:
        replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    for name in _RANDOM_FUNCTIONS:
        if hasattr(random, name):
            replace(random, name, _dispatch(name, getattr(random, name)))
    replace(random, "_urandom", _urandom)
    replace(random.Random, "seed", _seed)
    replace(os, "urandom", _urandom)
    replace(os, "environ", _Environ(os.environ))
    replace(uuid, "_node", _UUID_NODE)
    replace(time, "monotonic", _monotonic)
    replace(time, "monotonic_ns", _monotonic_ns)
    replace(time, "perf_counter", _perf_counter)
    replace(time, "perf_counter_ns", _perf_counter_ns)
    replace(time, "sleep", _sleep)
    try:
        yield
    finally:
        for owner, name, value in reversed(replaced):
            setattr(owner, name, value)
