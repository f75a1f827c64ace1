"""Turns a mistake in a workload or a check into one line with its place, instead of a traceback of ours."""

import functools
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import PaychaosError, UsageError
from harness.invariant import Check, State
from harness.scenario import Scenario, Workload
from harness.userfile import explain

_NEVER_AWAITED = re.compile(r"coroutine '.*' was never awaited")
_PLACED = re.compile(r"\S+\.py:\d+: ")
"""What Python warns of, and how an error begins that already says where it is."""


def guard(scenario: Scenario) -> None:
    """From here on the scenario's own code raises UsageError, with file and line, for what goes wrong in it."""
    scenario.workload = _guarded_workload(scenario.workload)
    scenario.invariants = [replace(one, check=_guarded_check(one.check)) for one in scenario.invariants]


def _guarded_workload(workload: Workload) -> Workload:
    @functools.wraps(workload)
    async def guarded(world: Any) -> None:
        with warnings.catch_warnings(record=True) as warned:
            warnings.filterwarnings("always", _NEVER_AWAITED.pattern, RuntimeWarning)
            try:
                await workload(world)
            except Exception as error:
                raise _explained(error, workload) from error
        _demand_awaited(warned, Path(workload.__code__.co_filename))

    return guarded


def _demand_awaited(warned: Iterable[warnings.WarningMessage], file: Path) -> None:
    """A request that is not awaited is never sent, and a run without it would pass."""
    for warning in warned:
        if Path(warning.filename) == file and _NEVER_AWAITED.match(str(warning.message)):
            raise UsageError(
                f"{file.name}:{warning.lineno}: {warning.message}. Write `await` in front of it."
            )


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
    """One error of ours for what the function raised; what is ours already gets a place if it is a mistake."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    is_ours = isinstance(error, PaychaosError) and not isinstance(error, UsageError)
    if is_ours or isinstance(error, ExceptionGroup) or _PLACED.match(str(error)):
        return error
    return explain(error, Path(function.__code__.co_filename))
