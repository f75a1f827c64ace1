"""The part of fakeredis that the simulated Redis stands on: its data types and the commands on them.

This is the one module that imports fakeredis. fakeredis reads the wall clock and the `random` module; both are
replaced here, module by module, by stand-ins that a node fills for as long as it executes a command
(`standing_in`). Outside of that they are what they were, for anybody else who uses fakeredis in this process.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random
from typing import Any

from fakeredis import _helpers
from fakeredis._command_args_parsing import Float, Int
from fakeredis._commands import SUPPORTED_COMMANDS, Signature
from fakeredis._core import Database, _database
from fakeredis._core._database import CommandItem, Item
from fakeredis._helpers import SimpleError, SimpleString, compile_pattern
from fakeredis.commands_mixins import (
    BitmapCommandsMixin,
    GenericCommandsMixin,
    HashCommandsMixin,
    ListCommandsMixin,
    SetCommandsMixin,
    SortedSetCommandsMixin,
    StreamsCommandsMixin,
    StringCommandsMixin,
    hash_mixin,
    sortedset_mixin,
)
from fakeredis.model import (
    ExpiringMembersSet,
    Hash,
    StreamEntryKey,
    StreamRangeTest,
    XStream,
    ZSet,
    _expiring_members_set,
    _stream,
)

__all__ = [
    "SUPPORTED_COMMANDS",
    "BorrowedCommands",
    "CommandItem",
    "Database",
    "ExpiringMembersSet",
    "Float",
    "Hash",
    "Int",
    "Item",
    "Signature",
    "SimpleError",
    "SimpleString",
    "StreamEntryKey",
    "StreamRangeTest",
    "XStream",
    "ZSet",
    "compile_pattern",
    "standing_in",
]


class BorrowedCommands(
    GenericCommandsMixin,
    HashCommandsMixin,
    ListCommandsMixin,
    StringCommandsMixin,
    SetCommandsMixin,
    BitmapCommandsMixin,
    SortedSetCommandsMixin,
    StreamsCommandsMixin,
):
    """The command implementations that a `Session` inherits."""


class _VirtualTime:
    """Answers `time.time()` from a node's clock, as an exact fraction so that milliseconds are not rounded."""

    now_us = 0

    def time(self) -> Fraction:
        return Fraction(self.now_us, 1_000_000)


class _Replaced:
    """Sits where a fakeredis module has imported a module, and forwards to the stand-in while there is one."""

    def __init__(self, original: Any) -> None:
        self.original = original
        self.stand_in: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original if self.stand_in is None else self.stand_in, name)


_VIRTUAL_TIME = _VirtualTime()
_TIME = _Replaced(vars(_helpers)["time"])
_RANDOM = _Replaced(vars(_database)["random"])

for _module in (_helpers, _stream):
    vars(_module)["time"] = _TIME
for _module in (_expiring_members_set, _database, hash_mixin, sortedset_mixin):
    vars(_module)["random"] = _RANDOM


def _in_insertion_order(members: ExpiringMembersSet) -> Iterator[bytes]:
    """A Redis set has no order; Python's would change with PYTHONHASHSEED, so ours is the order of insertion."""
    return iter(list(members._values))


ExpiringMembersSet.__iter__ = _in_insertion_order  # type: ignore[method-assign]


def standing_in(now_us: int, random: Random, work: Callable[[], None]) -> None:
    """Runs `work` with fakeredis seeing this time and this randomness."""
    _VIRTUAL_TIME.now_us = now_us
    _TIME.stand_in = _VIRTUAL_TIME
    _RANDOM.stand_in = random
    try:
        work()
    finally:
        _TIME.stand_in = None
        _RANDOM.stand_in = None
