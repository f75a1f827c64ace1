"""Systems under test. A service in here imports nothing of the harness; only the catalogue does, when asked."""

from typing import Any


def catalogue() -> list[Any]:
    """The targets that ship with the project (the entry point `paychaos.targets`)."""
    from targets.wiring import TARGETS

    return list(TARGETS)
