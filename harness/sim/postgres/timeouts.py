"""PostgreSQL's time-outs, kept in virtual time.

The real settings never have a value: a target's ``SET lock_timeout = '2s'`` sets ``paychaos.lock_timeout``, which
follows PostgreSQL's own rules for SET LOCAL, savepoints, RESET and roles, and the node reads it back from there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from harness.wire.postgres_sql import Token

NAMES = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
    "idle_session_timeout",
)
PREFIX = "paychaos."
_RENAMED = frozenset((*NAMES, "deadlock_timeout"))
DEFAULTS: Mapping[str, str] = {PREFIX + name: "0" for name in NAMES} | {PREFIX + "deadlock_timeout": "1s"}

READ_SQL = ";".join(f"show {PREFIX}{name}" for name in NAMES)

_VALUE = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*")
_OPTION = re.compile(rf"\b({'|'.join((*NAMES, 'deadlock_timeout'))})=(\S+)")
_UNIT_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_LONGEST_MS = 2_147_483_647

# What PostgreSQL 18 says when a time-out is over: the fields of its error that differ from a plain cancel's.
LOCK = {"C": "55P03", "M": "canceling statement due to lock timeout", "L": "3437"}
STATEMENT = {"C": "57014", "M": "canceling statement due to statement timeout", "L": "3444"}
_ENDED = "terminating connection due to "
_FATAL = {"S": "FATAL", "V": "FATAL", "F": "postgres.c", "R": "ProcessInterrupts"}
IDLE_IN_TRANSACTION = {**_FATAL, "C": "25P03", "M": _ENDED + "idle-in-transaction timeout", "L": "3485"}
TRANSACTION = {**_FATAL, "C": "25P04", "M": _ENDED + "transaction timeout", "L": "3498"}
IDLE_SESSION = {**_FATAL, "C": "57P05", "M": _ENDED + "idle-session timeout", "L": "3511"}

E = TypeVar("E")


class Timeouts(NamedTuple):
    """In microseconds; 0 is none."""

    statement_timeout: int = 0
    lock_timeout: int = 0
    idle_in_transaction_session_timeout: int = 0
    transaction_timeout: int = 0
    idle_session_timeout: int = 0


NONE = Timeouts()


def read(values: Sequence[str]) -> Timeouts:
    """The values that `READ_SQL` returned."""
    return Timeouts(*(1_000 * (milliseconds(value) or 0) for value in values))


def of_startup(parameters: Mapping[str, str]) -> dict[str, str]:
    """A client's start-up parameters with its time-outs renamed, in ``options`` too."""
    renamed: dict[str, str] = {}
    for name, value in parameters.items():
        number = milliseconds(value) if name in _RENAMED else None
        if number is not None:
            renamed[PREFIX + name] = words(number)
        else:
            renamed[name] = _OPTION.sub(_renamed_option, value) if name == "options" else value
    return renamed


def _renamed_option(match: re.Match[str]) -> str:
    number = milliseconds(match.group(2))
    return match.group() if number is None else f"{PREFIX}{match.group(1)}={words(number)}"


def milliseconds(text: str) -> int | None:
    """A setting's value in milliseconds, or None if PostgreSQL would refuse it."""
    match = _VALUE.fullmatch(text)
    if match is None:
        return None
    value = round(float(match.group(1)) * _UNIT_US[match.group(2) or "ms"] / 1_000)
    return value if 0 <= value <= _LONGEST_MS else None


def words(value_ms: int) -> str:
    """Milliseconds as PostgreSQL shows them: the largest unit that is exact."""
    for unit in ("d", "h", "min", "s"):
        size = _UNIT_US[unit] // 1_000
        if value_ms and value_ms % size == 0:
            return f"{value_ms // size}{unit}"
    return f"{value_ms}ms" if value_ms else "0"


def may_change(found: Sequence[Token]) -> bool:
    return any(_bare(token) in _RENAMED for token in found)


def renamed(found: Sequence[Token], index: int, edit: Callable[[int, int, str], E]) -> E | None:
    """The edit that turns the name of a time-out at `index` into ours, with its value as PostgreSQL shows it."""
    token = found[index]
    name = _bare(token)
    if name not in _RENAMED:
        return None
    before = [earlier.text.lower() for earlier in found[max(index - 2, 0) : index]]
    end = token.at + len(token.text)
    if token.kind == "string":
        is_argument = before[-1:] == ["("] and before[:1] in (["set_config"], ["current_setting"])
        return edit(token.at, end, f"'{PREFIX}{name}'") if is_argument else None
    if before[-1:] in (["show"], ["reset"]):
        return edit(token.at, end, PREFIX + name)
    if before[-1:] in (["set"], ["local"], ["session"]):
        return _set(found, index, name, edit)
    return None


def _set(found: Sequence[Token], index: int, name: str, edit: Callable[[int, int, str], E]) -> E | None:
    """SET with a value that PostgreSQL accepts; one that it would refuse is left to it, error included."""
    token = found[index]
    if index + 2 >= len(found) or found[index + 1].text.lower() not in ("=", "to"):
        return None
    value = found[index + 2]
    end = value.at + len(value.text)
    if value.text.lower() == "default":
        return edit(token.at, end, f"{PREFIX}{name} to default")
    number = milliseconds(value.text.strip("'"))
    if number is None:
        return None
    return edit(token.at, end, f"{PREFIX}{name} = '{words(number)}'")


def _bare(token: Token) -> str:
    return token.text.strip("\"'").lower() if token.kind in ("word", "quoted", "string") else ""
