"""Result descriptions without the ids that PostgreSQL gave to tables, which differ from run to run."""

import struct
from functools import lru_cache

from harness.errors import NotSimulated
from harness.sim.postgres import messages
from harness.sim.postgres.timeouts import PREFIX

_SHORT = struct.Struct("!h")
_OID = struct.Struct("!I")
_COLUMN = struct.Struct("!IhIhih")  # table, column number, type, length, modifier, format
_NO_TABLE = 0
_RENAMED = PREFIX.encode()
_FIRST_OWN_OID = 16384


@lru_cache(maxsize=4096)
def neutral(message: bytes, newest_type: int) -> bytes:
    """A RowDescription or ParameterDescription in which no column belongs to a table of the target.

    newest_type: the highest type id of the schema; a type made later has another id in every run and is refused.
    """
    return _rows(message, newest_type) if message[:1] == b"T" else _parameters(message, newest_type)


def _rows(message: bytes, newest_type: int) -> bytes:
    columns = [message[5:7]]
    at = 7
    for _ in range(*_SHORT.unpack_from(message, 5)):
        end = message.index(b"\0", at)
        name = message[at:end].removeprefix(_RENAMED)  # SHOW of a time-out, which is a setting of ours
        table, number, type_oid, *rest = _COLUMN.unpack_from(message, end + 1)
        _check(type_oid, newest_type)
        if table >= _FIRST_OWN_OID:
            table, number = _NO_TABLE, 0
        columns += [name, b"\0", _COLUMN.pack(table, number, type_oid, *rest)]
        at = end + 1 + _COLUMN.size
    return messages.message(b"T", b"".join(columns))


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
