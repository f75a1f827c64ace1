"""`cjson` for scripts of the simulated Redis, as lua-cjson does it: doubles with 14 digits, `/` escaped."""

import json
import math
from collections.abc import Callable
from typing import Any

from harness.errors import NotSimulated
from harness.sim.redis.lua_error import LuaError

_ESCAPES = {
    0x22: '\\"',
    0x5C: "\\\\",
    0x2F: "\\/",
    8: "\\b",
    9: "\\t",
    10: "\\n",
    12: "\\f",
    13: "\\r",
    127: "\\u007f",
}
_ESCAPES |= {code: f"\\u{code:04x}" for code in range(32) if code not in _ESCAPES}
_DEEPEST = 1000
_SPARSE_RATIO = 2
_SPARSE_SAFE = 10


class _Null:
    """`cjson.null`."""


class JsonLibrary:
    """`encode` and `decode` between Lua values and JSON."""

    def __init__(self, lua: Any, lua_type: Callable[[Any], str | None]) -> None:
        self.null = _Null()
        self._lua = lua
        self._lua_type = lua_type

    def encode(self, value: Any) -> bytes:
        """The JSON of a Lua value; keys in the order in which Lua walks the table."""
        return self._encode(value, 0).encode("latin-1")

    def decode(self, text: bytes) -> Any:
        """The Lua value of a JSON text."""
        try:
            value = json.loads(text.decode("utf-8", "surrogateescape"), object_pairs_hook=_Pairs)
        except ValueError:
            raise NotSimulated(
                f"cjson.decode of {text[:60]!r}, which is no JSON",
                "The text of that error is lua-cjson's own; check the value before the script decodes it",
            ) from None
        return self._to_lua(value)

    def _to_lua(self, value: Any) -> Any:
        if value is None:
            return self.null
        if isinstance(value, str):
            return _utf8(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value) if abs(value) > 2**53 else value
        if isinstance(value, _Pairs):
            table = self._lua.table()
            for key, item in value:
                table[_utf8(key)] = self._to_lua(item)
            return table
        if isinstance(value, list):
            return self._lua.table_from([self._to_lua(item) for item in value])
        return value

    def _encode(self, value: Any, depth: int) -> str:
        if value is None or value is self.null:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, bytes):
            return '"' + value.decode("latin-1").translate(_ESCAPES) + '"'
        if isinstance(value, int | float):
            return _number(value)
        if self._lua_type(value) != "table":
            raise LuaError(f"Cannot serialise {self._lua_type(value) or 'userdata'}: type not supported")
        if depth >= _DEEPEST:
            raise LuaError(f"Cannot serialise, excessive depth ({depth + 1})")
        return self._encode_table(value, depth + 1)

    def _encode_table(self, table: Any, depth: int) -> str:
        items = list(table.items())
        length = _array_length([key for key, _ in items])
        if length > 0:
            return "[" + ",".join(self._encode(table[at], depth) for at in range(1, length + 1)) + "]"
        pairs = []
        for key, item in items:
            if isinstance(key, bytes):
                name = self._encode(key, depth)
            elif isinstance(key, int | float) and not isinstance(key, bool):
                name = f'"{_number(key)}"'
            else:
                kind = "boolean" if isinstance(key, bool) else self._lua_type(key) or "userdata"
                raise LuaError(f"Cannot serialise {kind}: table key must be a number or string")
            pairs.append(f"{name}:{self._encode(item, depth)}")
        return "{" + ",".join(pairs) + "}"


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, in order."""


def _array_length(keys: list[Any]) -> int:
    """The length of the array that these keys make; 0 when they make an object."""
    if not keys or not all(isinstance(key, int) and not isinstance(key, bool) and key > 0 for key in keys):
        return 0
    longest: int = max(keys)
    if longest > len(keys) * _SPARSE_RATIO and longest > _SPARSE_SAFE:
        raise LuaError("Cannot serialise table: excessively sparse array")
    return longest


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise LuaError("Cannot serialise number: must not be NaN or Inf")
    return f"{value:.14g}"


def _utf8(text: str) -> bytes:
    """The bytes of a decoded string; those that were no UTF-8 stay what they were."""
    return text.encode("utf-8", "surrogateescape")
