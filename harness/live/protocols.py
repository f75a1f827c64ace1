"""Which reader cuts the bytes of a link: the simulation's own, so that names are the same in both worlds."""

from collections.abc import Callable

from harness.wire import Conversation
from harness.wire.http import HttpConversation
from harness.wire.plain import SniffingConversation
from harness.wire.resp import RespConversation


def _postgres() -> Conversation:
    from harness.wire.postgres import PostgresConversation

    return PostgresConversation()


_READERS: dict[str, Callable[[], Conversation]] = {
    "postgres": _postgres,
    "resp": RespConversation,
    "plain": SniffingConversation,
}


def reader(protocol: str, callback_kind: str | None = None) -> Conversation:
    """A fresh reader for one connection. `callback_kind` is for http: the JSON field that names a callback."""
    if protocol == "http":
        return HttpConversation(callback_kind)
    return _READERS[protocol]()
