"""Building and taking apart the few PostgreSQL protocol messages that the node itself writes or changes."""

import struct
from collections.abc import Mapping

_INT = struct.Struct("!i")
_PROTOCOL_3 = 3 << 16


def message(letter: bytes, body: bytes) -> bytes:
    return letter + _INT.pack(len(body) + 4) + body


READY = message(b"Z", b"I")
SYNC = message(b"S", b"")


def query(sql: str) -> bytes:
    """A simple Query."""
    return message(b"Q", sql.encode() + b"\0")


def startup(parameters: Mapping[str, str]) -> bytes:
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return _INT.pack(len(body) + 8) + _INT.pack(_PROTOCOL_3) + body


def startup_parameters(packet: bytes) -> dict[str, str]:
    """What a start-up packet asks for: user, database, settings."""
    words = packet[8:].rstrip(b"\0").split(b"\0")
    texts = [word.decode("utf-8", "replace") for word in words]
    return dict(zip(texts[::2], texts[1::2], strict=False))


def split_packet(data: bytes) -> tuple[bytes, bytes]:
    """A start-up packet and what follows it."""
    (length,) = _INT.unpack_from(data)
    return data[:length], data[length:]


def fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse by their letter (C code, M message, D detail...)."""
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}


def error(parts: Mapping[str, str]) -> bytes:
    """An ErrorResponse, its fields in the order in which PostgreSQL sends them."""
    ordered = [letter for letter in "SVCMDHPpqWstcdnFLR" if letter in parts]
    return message(b"E", b"".join(f"{letter}{parts[letter]}\0".encode() for letter in ordered) + b"\0")
