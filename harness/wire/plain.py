"""Any other byte protocol between processes of the target: each write is one message.

A write is named by its first word when that is readable (``GET counter`` gives ``GET``), else ``data``. A
connection whose first bytes are an HTTP request is read as HTTP instead (`SniffingConversation`).
"""

import re

from harness.wire import Conversation, Frame
from harness.wire.http import HttpConversation

_WORD = re.compile(rb"[A-Za-z][A-Za-z0-9_.-]{0,31}")
_HTTP = re.compile(rb"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+ HTTP/1\.1\r\n")


class PlainConversation:
    """Every write of the client is a request; every write of the server answers the oldest one."""

    def __init__(self) -> None:
        self._kinds: list[str] = []

    def from_client(self, data: bytes) -> list[Frame]:
        word = _WORD.match(data)
        kind = word[0].decode() if word else "data"
        self._kinds.append(kind)
        return [Frame(kind, data)]

    def from_server(self, data: bytes) -> list[Frame]:
        if self._kinds:
            return [Frame(self._kinds.pop(0), data, answered=False)]
        return [Frame("data", data, answered=False, push=True)]


class SniffingConversation:
    """Decides between HTTP and plain writes by the first bytes of the client."""

    def __init__(self) -> None:
        self._inner: Conversation | None = None

    def from_client(self, data: bytes) -> list[Frame]:
        if self._inner is None:
            self._inner = HttpConversation() if _HTTP.match(data) else PlainConversation()
        return self._inner.from_client(data)

    def from_server(self, data: bytes) -> list[Frame]:
        if self._inner is None:
            self._inner = PlainConversation()
        return self._inner.from_server(data)
