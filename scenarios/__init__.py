"""Payment scenarios: workloads and invariants for checkouts, one file per hazard."""

from typing import Any


def catalogue() -> list[Any]:
    """The scenarios that ship with the project (the entry point `paychaos.scenarios`)."""
    from scenarios.suite import SCENARIOS

    return list(SCENARIOS)
