"""PostgreSQL's text output as plain Python values that JSON can carry."""

import json
from collections.abc import Callable
from typing import Any

_BOOL, _BYTEA, _INT8, _INT2, _INT4, _JSON, _FLOAT4, _FLOAT8, _NUMERIC, _JSONB = (
    16, 17, 20, 21, 23, 114, 700, 701, 1700, 3802,
)  # fmt: skip
_OID = 26


def _number(text: str) -> int | str:
    """A whole numeric (a `sum` of bigints, say) is an int; one with a fraction stays exact, as text."""
    return text if "." in text or not text.lstrip("-").isdigit() else int(text)


_READERS: dict[int, Callable[[str], Any]] = {
    _BOOL: lambda text: text == "t",
    _INT2: int,
    _INT4: int,
    _INT8: int,
    _OID: int,
    _FLOAT4: float,
    _FLOAT8: float,
    _NUMERIC: _number,
    _JSON: json.loads,
    _JSONB: json.loads,
}
# Array types by the type of their elements.
_ARRAYS = {
    1000: _BOOL, 1005: _INT2, 1007: _INT4, 1016: _INT8, 1028: _OID, 1021: _FLOAT4, 1022: _FLOAT8, 1231: _NUMERIC,
    1009: 0, 1015: 0, 2951: 0, 1185: 0, 1115: 0,
}  # fmt: skip


def read(type_oid: int, text: str) -> Any:
    """The value of one column; times, uuids and unknown types stay text, as PostgreSQL writes them."""
    element = _ARRAYS.get(type_oid)
    if element is not None:
        return _array(text, _READERS.get(element, str))
    reader = _READERS.get(type_oid)
    return text if reader is None else reader(text)


def write(value: object) -> bytes | None:
    """A parameter in text form; None is NULL."""
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, list | tuple):
        return _array_text(value).encode()
    if isinstance(value, dict):
        return json.dumps(value).encode()
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return str(value).encode()


def _array_text(values: list[object] | tuple[object, ...]) -> str:
    parts = []
    for value in values:
        text = write(value)
        if text is None:
            parts.append("NULL")
        else:
            escaped = text.decode().replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{escaped}"')
    return "{" + ",".join(parts) + "}"


def _array(text: str, reader: Callable[[str], Any]) -> list[Any]:
    """A one-dimensional or nested array literal."""
    stack: list[list[Any]] = [[]]
    at, end = 0, len(text)
    while at < end:
        character = text[at]
        if character == "{":
            stack.append([])
            at += 1
        elif character == "}":
            finished = stack.pop()
            stack[-1].append(finished)
            at += 1
        elif character == ",":
            at += 1
        elif character == '"':
            word, at = _quoted(text, at + 1)
            stack[-1].append(reader(word))
        else:
            stop = at
            while text[stop] not in ",}":
                stop += 1
            word = text[at:stop]
            stack[-1].append(None if word == "NULL" else reader(word))
            at = stop
    result: list[Any] = stack[0][0]
    return result


def _quoted(text: str, at: int) -> tuple[str, int]:
    characters = []
    while text[at] != '"':
        if text[at] == "\\":
            at += 1
        characters.append(text[at])
        at += 1
    return "".join(characters), at + 1
