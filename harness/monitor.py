"""Checks the invariants of a scenario while a run goes on, and remembers each violation once."""

from collections.abc import Sequence
from typing import Any

from harness.errors import PaychaosError, UsageError
from harness.invariant import Invariant, Phase, State
from harness.run import InvariantVerdict, RowChange, Violation


class _Reporting:
    """A State that also takes reports; everything else is the world's."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.reports: list[tuple[str, str]] = []

    def violated(self, entity: str, sentence: str) -> None:
        self.reports.append((entity, sentence))

    def changes(self, table: str) -> list[RowChange]:
        return self._state.changes(table)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)


class Monitor:
    """`check(phase)` may be called any number of times; `verdicts` is the sum of what it saw."""

    def __init__(self, invariants: Sequence[Invariant], state: State) -> None:
        self._invariants = invariants
        self._state = state
        self._exercised: set[str] = set()
        self.violations: list[Violation] = []

    def check(self, phase: Phase) -> None:
        """Checks the invariants of a phase and records what is newly violated."""
        seen = {violation.signature for violation in self.violations}
        for invariant in self._invariants:
            if invariant.phase == phase:
                for violation in self._check(invariant):
                    if violation.signature not in seen:
                        seen.add(violation.signature)
                        self.violations.append(violation)

    def holds(self, phase: Phase) -> bool:
        """Whether all invariants of a phase hold now; records nothing."""
        return not any(self._check(invariant) for invariant in self._invariants if invariant.phase == phase)

    def _check(self, invariant: Invariant) -> list[Violation]:
        view = _Reporting(self._state)
        try:
            examined = invariant.check(view)
        except AssertionError as error:
            lines = str(error).strip().splitlines()
            view.violated("", lines[0] if lines else f"{invariant.name} does not hold")
            examined = None
        except PaychaosError:
            raise
        except Exception as error:
            raise UsageError(
                f"invariant {invariant.name!r} raised {type(error).__name__}: {error}; a check may only raise"
                " AssertionError. Mend the invariant."
            ) from error
        if examined != 0:
            self._exercised.add(invariant.name)
        at_us = self._state.now_us
        return [Violation(invariant.name, entity, sentence, at_us) for entity, sentence in view.reports]

    @property
    def verdicts(self) -> dict[str, InvariantVerdict]:
        violated = {violation.invariant for violation in self.violations}
        return {
            invariant.name: "violated"
            if invariant.name in violated
            else "held"
            if invariant.name in self._exercised
            else "not_exercised"
            for invariant in self._invariants
        }
