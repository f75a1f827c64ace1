"""Turns a mistake in a workload or a check into one line with its place, instead of a traceback of ours."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import PaychaosError
from harness.invariant import Check, State
from harness.scenario import Scenario, Workload
from harness.userfile import explain


def guard(scenario: Scenario) -> None:
    """From here on the scenario's own code raises UsageError, with file and line, for what goes wrong in it."""
    scenario.workload = _guarded_workload(scenario.workload)
    scenario.invariants = [replace(one, check=_guarded_check(one.check)) for one in scenario.invariants]


def _guarded_workload(workload: Workload) -> Workload:
    @functools.wraps(workload)
    async def guarded(world: Any) -> None:
        try:
            await workload(world)
        except Exception as error:
            raise _explained(error, workload) from error

    return guarded


def _guarded_check(check: Check) -> Check:
    @functools.wraps(check)
    def guarded(state: State) -> int | None:
        try:
            return check(state)
        except AssertionError:
            raise
        except Exception as error:
            raise _explained(error, check) from error

    return guarded


def _explained(error: Exception, function: Callable[..., Any]) -> Exception:
    """One error of ours for what the function raised; what is ours already stays as it is."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, PaychaosError | ExceptionGroup):
        return error
    return explain(error, Path(function.__code__.co_filename))
