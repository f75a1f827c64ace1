"""`make bench`: every bench of this folder in one run, each figure beside what it is compared with.

`python -m tests.bench --only NAME` runs one. A bench is a module of this folder with a `main()` that prints, and a
name in BENCHES.
"""

import argparse
import importlib
import os
import platform
import sys
import time
from importlib.util import find_spec

BENCHES = ("standard", "lost_update", "provider", "live")


def main() -> int:
    """Runs the chosen benches, one after the other, each in this process."""
    there = [name for name in BENCHES if find_spec(f"tests.bench.{name}")]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=there, metavar="NAME", help=", ".join(there))
    only = parser.parse_args().only
    print(about_this_machine(), flush=True)
    started = time.monotonic()
    for name in [only] if only else there:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"tests.bench.{name}").main()
    print(f"\ndone in {time.monotonic() - started:.0f} s")
    return 0


def about_this_machine() -> str:
    """What the figures depend on, and whether the machine was busy with something else."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    busy = f"; the load is {load:.1f}, so figures by the clock are too low" if load > cores / 2 else ""
    return f"Python {platform.python_version()}, {cores} cores{busy}"


if __name__ == "__main__":
    sys.exit(main())
