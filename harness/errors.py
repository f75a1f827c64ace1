"""The one tree of errors that this project raises on purpose.

PaychaosError
├── UsageError            a user's mistake: one line, exit code 2
├── InfrastructureError   something the run needs is missing or broke: one line, exit code 3
│   ├── TargetError       the target raised at import, never became ready, or blocked its loop
│   └── LimitExceeded     a run passed its limit on steps, virtual time or wall time
├── NotSimulated          the target asked for something that the simulation does not model: exit code 3
└── HarnessError          a bug of ours: always shown with its traceback

Every text names the value, the rule and the remedy.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class PaychaosError(Exception):
    """The root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 3


class UsageError(PaychaosError):
    """A name, file or option that the user has to change."""

    exit_code = 2


class InfrastructureError(PaychaosError):
    """PostgreSQL, a disk, a port or a process that is not there."""


class TargetError(InfrastructureError):
    """The target cannot be run at all."""


class LimitExceeded(InfrastructureError):
    """A run that did not end within its limits."""


class NotSimulated(PaychaosError):
    """The simulation refuses rather than approximates."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"not simulated: {what}. {remedy}")
        self.what = what
        self.remedy = remedy


class HarnessError(PaychaosError):
    """This is our bug."""


def unknown_name(noun: str, name: str, known: Iterable[str], listing: str) -> UsageError:
    """The error for a name nobody knows; `listing` is the command that shows all of them."""
    names = sorted(known)
    return UsageError(
        f"{noun} {name!r} does not exist.{did_you_mean(name, names)} `{listing}` shows all {len(names)}."
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?``, or nothing when no known name is close."""
    close = get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
