"""What a parameter may be: one small reader per kind, and `Spec`, the readers of one operation.

Parameters without a reader are accepted as they are: strictness is what breaks a stand-in for a living API.
Every refusal is an `ApiError` 400 in the wording that clients know.
"""

from collections.abc import Callable, Iterable
from typing import Any

from fake_provider.errors import ApiError

Reader = Callable[[str, Any], Any]
MAX_TEXT = 5_000
MAX_METADATA_KEYS = 50
MAX_METADATA_KEY = 40
MAX_METADATA_VALUE = 500
MAX_INTEGER = 2**53


class Spec:
    """The readers of one operation's parameters, and which of them must be given."""

    def __init__(self, *required: str, **readers: Reader) -> None:
        self.required = required
        self.readers = readers

    def read(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The parameters, typed where there is a reader. Raises `ApiError` for the first that is wrong."""
        for name in self.required:
            if name not in raw:
                raise ApiError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
            if raw[name] == "":
                raise _empty(name)
        readers = self.readers
        return {name: readers[name](name, value) if name in readers else value for name, value in raw.items()}


def integer(least: int | None = None, most: int = MAX_INTEGER) -> Reader:
    """A whole number from `least` to `most`."""

    def read(name: str, value: Any) -> int | None:
        if value == "":
            return None
        number = _whole(name, value)
        if least is not None and number < least:
            rule = "greater than or equal to" if least != 1 else "at least"
            raise ApiError(
                400, f"This value must be {rule} {least}.", code="parameter_invalid_integer", param=name
            )
        if abs(number) > most:
            raise ApiError(
                400, f"Invalid integer: {str(value)[:40]}", code="parameter_invalid_integer", param=name
            )
        return number

    return read


def _whole(name: str, value: Any) -> int:
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    shown = value if isinstance(value, str) else type(value).__name__
    raise ApiError(400, f"Invalid integer: {shown[:40]}", code="parameter_invalid_integer", param=name)


def boolean(name: str, value: Any) -> bool | None:
    """`true` or `false`."""
    if value in ("true", "True", "1"):
        return True
    if value in ("false", "False", "0"):
        return False
    if value == "":
        return None
    raise ApiError(400, f"Invalid boolean: {str(value)[:40]}", param=name)


def text(name: str, value: Any) -> str | None:
    """Text of up to 5,000 characters; the empty text unsets the member."""
    if not isinstance(value, str):
        raise ApiError(400, f"Invalid string: {str(value)[:60]}", param=name)
    if len(value) > MAX_TEXT:
        raise ApiError(
            400,
            f"Invalid string: {value[:20]}...{value[-6:]}; must be at most {MAX_TEXT} characters",
            param=name,
        )
    return value or None


def choice(*allowed: str) -> Reader:
    """One of a few words."""

    def read(name: str, value: Any) -> str | None:
        if value == "":
            return None
        if value not in allowed:
            words = ", ".join(allowed[:-1]) + " or " + allowed[-1] if len(allowed) > 1 else allowed[0]
            raise ApiError(400, f"Invalid {name}: must be one of {words}", param=name)
        return str(value)

    return read


def table(name: str, value: Any) -> dict[str, Any] | None:
    """A hash of further parameters, left as they are."""
    if value == "":
        return None
    if not isinstance(value, dict):
        raise ApiError(400, "Invalid object", param=name)
    return value


def listing(name: str, value: Any) -> list[Any] | None:
    """A list."""
    if value == "":
        return None
    if not isinstance(value, list):
        raise ApiError(400, "Invalid array", param=name)
    return value


def texts(name: str, value: Any) -> list[str]:
    """A list of texts."""
    items = listing(name, value) or []
    if not all(isinstance(item, str) for item in items):
        raise ApiError(400, "Invalid string: {}", param=f"{name}[]")
    return items


def metadata(name: str, value: Any) -> dict[str, str]:
    """Up to 50 short keys with texts; an empty text unsets its key (kept here for `merge_metadata`)."""
    found = table(name, value) or {}
    if len(found) > MAX_METADATA_KEYS:
        raise ApiError(400, f"You can only have {MAX_METADATA_KEYS} metadata keys.", param=name)
    for key, item in found.items():
        if not isinstance(item, str):
            raise ApiError(400, "Metadata values must be strings.", param=f"{name}[{key[:40]}]")
        if len(key) > MAX_METADATA_KEY:
            raise ApiError(400, f"Metadata keys can have up to {MAX_METADATA_KEY} characters.", param=name)
        if len(item) > MAX_METADATA_VALUE:
            raise ApiError(
                400,
                f"Metadata values can have up to {MAX_METADATA_VALUE} characters, but you passed in a value that "
                f"is {len(item)} characters.",
                param=f"{name}[{key}]",
            )
    return found


def merge_metadata(old: dict[str, str], new: dict[str, str] | None) -> dict[str, str]:
    """Metadata after an update: given keys replace, keys given empty vanish."""
    if not new:
        return old
    return {key: value for key, value in {**old, **new}.items() if value != ""}


class Echo:
    """Which parameters an object shows: those a client may set, and those that no member of ours has.

    A parameter that names a member which only the provider sets is ignored, and a command (`confirm`) is no member.
    """

    def __init__(self, template: Iterable[str], settable: frozenset[str], commands: frozenset[str]) -> None:
        self._hidden = (frozenset(template) | commands) - settable

    def of(self, params: dict[str, Any]) -> dict[str, Any]:
        """The members that the parameters set."""
        hidden = self._hidden
        return {name: value for name, value in params.items() if name not in hidden}


def _empty(name: str) -> ApiError:
    return ApiError(
        400,
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
        f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty "
        "value.",
        code="parameter_invalid_empty",
        param=name,
    )
