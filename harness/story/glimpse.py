"""A few words of what a message says: the key and the body of a request, the command with its arguments, how
many rows.

Only for people: it reads the text that a detailed run keeps of each message, and says nothing where it cannot
tell.
"""

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from results.text import shorten

WORDS_WIDTH = 44
"""Columns for what a message says beside its kind."""

VALUE_WIDTH = 24
KEY_HEADER = "idempotency-key"

_REDIS_BULK = re.compile(r"\$\d+\r\n(.*?)\r\n(?=\$|$)", re.S)
_ROWS = re.compile(r"(?:SELECT|INSERT \d+|UPDATE|DELETE) (\d+)\0")
_DATABASE_ERROR = re.compile(r"C([0-9A-Z]{5})\0M([^\0]+)\0")


def request_in_words(kind: str, protocol: str, text: str) -> str:
    """The kind and what the request says; for Redis the command itself, its keys and values in place of the
    kind.
    """
    if protocol == "resp":
        words = [shorten(" ".join(word.split()), VALUE_WIDTH) for word in _REDIS_BULK.findall(text)]
        return shorten(" ".join(words), WORDS_WIDTH) if words else kind
    if protocol == "http":
        said = ", ".join(part for part in (_fields(body_of(text)), _key(text)) if part)
        return f"{kind} {said}".strip()
    return kind


def answer_in_words(protocol: str, text: str) -> str:
    """A status, a number of rows, a value or an error; empty when the answer says nothing by itself."""
    if protocol == "http":
        match = re.match(r"HTTP/[\d.]+ (\d+)", text)
        return match[1] if match else ""
    if protocol == "postgres":
        error = _DATABASE_ERROR.search(text)
        if error:
            return f"error {error[1]} {shorten(error[2], WORDS_WIDTH)}"
        rows = _ROWS.search(text)
        return f"{rows[1]} rows" if rows and rows[1] != "1" else ""
    if text.startswith(("$-1", "*-1", "_")):
        return "nil"
    if text.startswith("-"):
        return f"error {shorten(text[1:].strip(), WORDS_WIDTH)}"
    return ""


def key_of(text: str) -> str:
    """The idempotency key of an HTTP request; empty without one."""
    head = text.partition("\r\n\r\n")[0]
    match = re.search(rf"^{KEY_HEADER}: *(.+?)\r?$", head, re.I | re.M)
    return match[1] if match else ""


def body_of(text: str) -> str:
    return text.partition("\r\n\r\n")[2]


def _key(text: str) -> str:
    key = key_of(text)
    return f"key {shorten(key, VALUE_WIDTH)}" if key else ""


def _fields(body: str) -> str:
    """The first plain fields of a JSON object or a form, as many as there is room for."""
    fields = _parsed(body)
    said = ""
    for name, value in fields.items():
        if not isinstance(value, str | int) or value == "":
            continue
        part = f"{name} {shorten(str(value), VALUE_WIDTH)}"
        if len(said) + len(part) > WORDS_WIDTH:
            break
        said = f"{said}, {part}" if said else part
    return said


def _parsed(body: str) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except ValueError:
        return dict(parse_qsl(body))
    return document if isinstance(document, dict) else {}
