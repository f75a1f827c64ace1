"""Form bodies and query strings with nested keys (`metadata[order]=7`, `expand[]=charge`, `items[0][price]=9`).

Only the syntax lives here: leaves stay text; what a parameter may be is the business of `parameters`.
"""

from typing import Any
from urllib.parse import unquote

from fake_provider.errors import ApiError

MAX_FIELDS = 1_000
MAX_DEPTH = 8


def parse_form(text: str | bytes) -> dict[str, Any]:
    """A nested mapping of the fields. Raises `ApiError` 400 when the text is not a form."""
    if not text:
        return {}
    try:
        parts = (text if isinstance(text, str) else text.decode("utf-8")).replace("+", " ").split("&")
        if len(parts) > MAX_FIELDS:
            raise ApiError(400, f"Invalid request: more than {MAX_FIELDS} parameters.")
        pairs = [_pair(part) for part in parts if part]
    except UnicodeDecodeError:
        raise ApiError(400, "Invalid request: the parameters are not valid UTF-8.") from None
    fields: dict[str, Any] = {}
    nested = False
    for key, value in pairs:
        if "[" in key:
            nested = True
            _put(fields, key, value)
        elif isinstance(fields.get(key), dict):
            raise _clash(key)
        else:
            fields[key] = value
    if nested:
        for key, value in fields.items():
            if isinstance(value, dict) and key != "metadata":
                fields[key] = _lists(value)
    return fields


def _pair(part: str) -> tuple[str, str]:
    """Name and value of one field; most need no unquoting, which is what takes the time."""
    name, _, value = part.partition("=")
    if "%" in part:
        return unquote(name, errors="strict"), unquote(value, errors="strict")
    return name, value


def _put(fields: dict[str, Any], key: str, value: str) -> None:
    """Stores one nested field; `[]` counts up, so that a list is a mapping of positions until the end."""
    head, _, rest = key.partition("[")
    if not rest.endswith("]") or not head:
        raise ApiError(
            400,
            f"Invalid request: the parameter name '{key[:100]}' has unbalanced brackets.",
            param=key[:100],
        )
    parts = [head, *rest[:-1].split("][")]
    if len(parts) > MAX_DEPTH:
        raise ApiError(
            400, f"Invalid request: '{key[:100]}' is nested deeper than {MAX_DEPTH} levels.", param=head
        )
    here = fields
    for part in parts[:-1]:
        step = here.setdefault(part or str(len(here)), {})
        if not isinstance(step, dict):
            raise _clash(head)
        here = step
    last = parts[-1] or str(len(here))
    if isinstance(here.get(last), dict):
        raise _clash(head)
    here[last] = value


def _lists(value: dict[str, Any]) -> Any:
    """Turns mappings whose keys are all positions into lists, except metadata: its keys are the client's own
    words."""
    for key, item in value.items():
        if isinstance(item, dict) and key != "metadata":
            value[key] = _lists(item)
    if value and all(key.isascii() and key.isdigit() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    return value


def _clash(name: str) -> ApiError:
    return ApiError(
        400, f"Invalid request: '{name[:100]}' is given both as a value and as a hash.", param=name[:100]
    )
