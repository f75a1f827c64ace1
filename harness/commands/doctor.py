"""`paychaos doctor`: what is needed, what is found, and how to get what is missing."""

import argparse

from harness.doctor import can_simulate, examine
from results.text import table

NAME = "doctor"
HELP = "show what this machine has of what each world needs, and the command for what is missing"
EXAMPLES = ("paychaos doctor",)

CANNOT_SIMULATE = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Takes nothing."""


def execute(options: argparse.Namespace) -> int:
    checks = examine()
    head = ("", "what", "needed for", "version", "found")
    rows = [
        (
            "✓" if check.is_found else "✗",
            check.what,
            check.needed_for,
            check.version or "-",
            check.found or "missing",
        )
        for check in checks
    ]
    for line in table([head, *rows]):
        print(line)
    for check in checks:
        if not check.is_found:
            print(f"\n{check.what} is missing. To get it:\n  {check.remedy}")
    if not can_simulate(checks):
        print("\nThe simulated world cannot run here (exit 3).")
        return CANNOT_SIMULATE
    print("\nThe simulated world can run.")
    return 0
