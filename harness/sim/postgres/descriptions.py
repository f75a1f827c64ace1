"""Result descriptions without the ids that PostgreSQL gave to tables, which differ from run to run."""

import struct
from functools import lru_cache

from harness.errors import NotSimulated

_SHORT = struct.Struct("!h")
_OID = struct.Struct("!I")
_COLUMN = struct.Struct("!IhIhih")  # table, column number, type, length, modifier, format
_NO_TABLE = 0
_FIRST_OWN_OID = 16384


@lru_cache(maxsize=4096)
def neutral(message: bytes, newest_type: int) -> bytes:
    """A RowDescription or ParameterDescription in which no column belongs to a table of the target.

    newest_type: the highest type id of the schema; a type made later has another id in every run and is refused.
    """
    return _rows(message, newest_type) if message[:1] == b"T" else _parameters(message, newest_type)


def _rows(message: bytes, newest_type: int) -> bytes:
    changed = bytearray(message)
    (count,) = _SHORT.unpack_from(message, 5)
    at = 7
    for _ in range(count):
        at = message.index(b"\0", at) + 1
        table, _, type_oid, *_ = _COLUMN.unpack_from(message, at)
        _check(type_oid, newest_type)
        if table >= _FIRST_OWN_OID:
            _OID.pack_into(changed, at, _NO_TABLE)
            _SHORT.pack_into(changed, at + 4, 0)
        at += _COLUMN.size
    return bytes(changed)


def _parameters(message: bytes, newest_type: int) -> bytes:
    (count,) = _SHORT.unpack_from(message, 5)
    for index in range(count):
        _check(_OID.unpack_from(message, 7 + 4 * index)[0], newest_type)
    return message


def _check(type_oid: int, newest_type: int) -> None:
    if type_oid > newest_type:
        raise NotSimulated(
            "a column or parameter of a type that was created during the run",
            "Its id would differ from run to run: create the type in the target's schema.",
        )
