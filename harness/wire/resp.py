"""Reads a Redis conversation: RESP2 and RESP3, inline commands, pub/sub.

One command is one request, also inside a pipeline and between MULTI and EXEC: Redis itself takes them one by one
and other clients' commands may come between. A SUBSCRIBE of three channels is one request, and its three
confirmations are one reply.
"""

import re
from collections import deque
from dataclasses import dataclass

from harness.wire import Frame, WireError
from harness.wire.resp_kind import command_kind, push_kind

_CONFIRMED = frozenset(
    {b"subscribe", b"psubscribe", b"ssubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe"}
)
_MESSAGES = frozenset({b"message", b"pmessage", b"smessage"})
_REPLICATION = frozenset({b"sync", b"psync", b"replconf"})
_LINE_TYPES = frozenset(b"+-:_,#(")
_BULK_TYPES = frozenset(b"$=!")
_LIST_TYPES = frozenset(b"*~>")
_PAIR_TYPES = frozenset(b"%|")
_WORD = re.compile(rb"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|(\S+)", re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def read_command(data: bytes | bytearray, start: int = 0) -> tuple[list[bytes], int] | None:
    """The command that begins at `start` and the index behind it; None while it is incomplete.

    An empty line or an empty array is a command without words: Redis skips it without an answer.
    """
    end = data.find(b"\n", start)
    if end < 0:
        return None
    if data[start] != 42:  # "*"
        return _inline_words(bytes(data[start:end])), end + 1
    position = end + 1
    words: list[bytes] = []
    try:
        for _ in range(int(data[start + 1 : end])):
            end = data.find(b"\n", position)
            if end < 0:
                return None
            if data[position] != 36:  # "$"
                raise WireError(
                    f"a Redis command holds {bytes(data[position:end])!r} where a '$' begins its next word"
                )
            begin = end + 1
            position = begin + int(data[position + 1 : end]) + 2
            if position > len(data):
                return None
            words.append(bytes(data[begin : position - 2]))
    except ValueError:
        raise WireError(
            f"a Redis length must be a whole number, not {bytes(data[start:end])[-20:]!r}"
        ) from None
    return words, position


def _inline_words(line: bytes) -> list[bytes]:
    """What redis-server makes of a command typed by hand, quotes included."""
    words = []
    for double, single, plain in _WORD.findall(line):
        if double:
            words.append(
                _ESCAPE.sub(
                    lambda m: bytes.fromhex(m[1].decode()) if m[1] else _ESCAPED.get(m[2], m[2]), double
                )
            )
        else:
            words.append(single.replace(b"\\'", b"'") or plain)
    return words


def value_end(data: bytes | bytearray, start: int) -> int | None:
    """The index behind the whole RESP value that begins at `start`; None while it is incomplete."""
    position, missing = start, 1
    while missing:
        end = data.find(b"\r\n", position)
        if end < 0:
            return None
        kind = data[position]
        if kind in _LINE_TYPES:
            missing -= 1
            position = end + 2
            continue
        try:
            length = int(data[position + 1 : end])
        except ValueError:
            raise WireError(
                f"a Redis length must be a whole number, not {bytes(data[position + 1 : end])!r}"
            ) from None
        position = end + 2
        if kind in _BULK_TYPES:
            missing -= 1
            position += length + 2 if length >= 0 else 0
        elif kind in _LIST_TYPES:
            missing += max(length, 0) - 1
        elif kind in _PAIR_TYPES:
            # Attributes ("|") come before the value that they describe and do not count as one.
            missing += 2 * length - (kind == 37)
        else:
            raise WireError(
                f"a Redis answer begins with one of the RESP types, not {bytes(data[start : start + 1])!r}"
            )
    return position if position <= len(data) else None


@dataclass(slots=True)
class _Pending:
    """A request that the server has not answered yet."""

    kind: str
    name: bytes
    confirmations: int | None
    """How many messages confirm it; 0 when the server's state decides (UNSUBSCRIBE of everything); None: one reply."""
    data: bytes = b""


class RespConversation:
    """One connection to a Redis server. See `harness.wire.Conversation`."""

    def __init__(self) -> None:
        self._requests = bytearray()
        self._replies = bytearray()
        self._pending: deque[_Pending] = deque()
        self._resp3 = False
        self._subscribed: dict[bytes, set[bytes]] = {b"": set(), b"p": set(), b"s": set()}
        self._muted = False
        self._mute_next = False

    def from_client(self, data: bytes) -> list[Frame]:
        """The requests completed by `data`."""
        self._requests += data
        frames = []
        position = 0
        while position < len(self._requests):
            command = read_command(self._requests, position)
            if command is None:
                break
            words, end = command
            frames.append(self._request(words, bytes(self._requests[position:end])))
            position = end
        del self._requests[:position]
        return frames

    def from_server(self, data: bytes) -> list[Frame]:
        """The replies and pushes completed by `data`."""
        self._replies += data
        frames = []
        position = 0
        while position < len(self._replies):
            end = value_end(self._replies, position)
            if end is None:
                break
            frame = self._answer(bytes(self._replies[position:end]))
            if frame is not None:
                frames.append(frame)
            position = end
        del self._replies[:position]
        return frames

    def _request(self, words: list[bytes], data: bytes) -> Frame:
        if not words:
            return Frame("EMPTY", data, answered=False)
        name = words[0].lower()
        if name in _REPLICATION:
            raise WireError(f"{name.decode().upper()} turns the connection into a replication stream")
        kind = command_kind(words)
        if not self._is_answered(name, words):
            return Frame(kind, data, answered=False)
        self._pending.append(_Pending(kind, name, len(words) - 1 if name in _CONFIRMED else None))
        return Frame(kind, data)

    def _is_answered(self, name: bytes, words: list[bytes]) -> bool:
        """Keeps the state of CLIENT REPLY, the only thing that makes Redis swallow a reply."""
        skipped, self._mute_next = self._mute_next, False
        if name == b"client" and len(words) == 3 and words[1].lower() == b"reply":
            mode = words[2].lower()
            if mode in (b"on", b"off"):
                self._muted = mode == b"off"
            self._mute_next = mode == b"skip"
            return mode not in (b"off", b"skip")
        return not self._muted and not skipped

    def _answer(self, data: bytes) -> Frame | None:
        word = _first_word(data)
        head = self._pending[0] if self._pending else None
        confirms = head is not None and head.confirmations is not None and head.name == word
        if not confirms and self._is_push(data, word):
            return Frame(push_kind(data.split(b"\r\n")), data, answered=False, push=True)
        if head is None:
            return Frame("unasked", data, answered=False, push=True)
        head.data += data
        if confirms and not self._confirm(head, data):
            return None
        self._pending.popleft()
        self._follow_state(head, data)
        return Frame(head.kind, head.data, answered=False)

    def _is_push(self, data: bytes, word: bytes) -> bool:
        if data[0] == 62:  # ">"
            return True
        return not self._resp3 and word in _MESSAGES and any(self._subscribed.values())

    def _confirm(self, head: _Pending, data: bytes) -> bool:
        """Books one confirmation; True when it was the last."""
        prefix, _, _ = head.name.partition(b"unsubscribe" if b"unsubscribe" in head.name else b"subscribe")
        channels = self._subscribed[prefix]
        if head.confirmations == 0:
            head.confirmations = max(len(channels), 1)
        channel = data.split(b"\r\n")[4]
        if b"unsubscribe" in head.name:
            channels.discard(channel)
        else:
            channels.add(channel)
        assert head.confirmations is not None
        head.confirmations -= 1
        return head.confirmations == 0

    def _follow_state(self, head: _Pending, data: bytes) -> None:
        if head.name == b"hello" and data[0] in b"%*":
            self._resp3 = data[0] == 37
        elif head.name == b"reset" and data[0] == 43:
            self._resp3 = False
            for channels in self._subscribed.values():
                channels.clear()


def _first_word(data: bytes) -> bytes:
    """The first element of an array or push when it is a bulk string, else nothing."""
    if data[0] not in b"*>":
        return b""
    parts = data.split(b"\r\n", 3)
    return parts[2] if len(parts) > 2 and parts[1][:1] == b"$" else b""
