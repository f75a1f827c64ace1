"""PUBLISH and SUBSCRIBE. Subscribers get a message in the order in which they subscribed."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis.borrowed import compile_pattern
from harness.sim.redis.command import not_simulated
from harness.sim.redis.reply import Encoded, Push, encode

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

Group = dict[bytes, dict["Session", None]]
"""Channel or pattern to its listeners, in the order in which they came."""

_KEYSPACE_EVENTS = b"__key"


class Channels:
    """Who listens to what on one server."""

    def __init__(self) -> None:
        self.channels: Group = {}
        self.patterns: Group = {}
        self._counts: dict[Session, int] = {}

    def count(self, session: "Session") -> int:
        """How many channels and patterns the client listens to."""
        return self._counts.get(session, 0)

    def join(self, group: Group, name: bytes, session: "Session") -> None:
        members = group.setdefault(name, {})
        if session not in members:
            members[session] = None
            self._counts[session] = self.count(session) + 1

    def part(self, group: Group, name: bytes, session: "Session") -> None:
        members = group.get(name, {})
        if session in members:
            del members[session]
            self._counts[session] -= 1
            if not members:
                del group[name]

    def leave(self, session: "Session") -> None:
        """Ends all subscriptions of a client."""
        for group in (self.channels, self.patterns):
            for name in joined(group, session):
                self.part(group, name, session)
        self._counts.pop(session, None)


def joined(group: Group, session: "Session") -> list[bytes]:
    """The names in `group` that the client listens to."""
    return [name for name, members in group.items() if session in members]


def publish(session: "Session", args: list[bytes]) -> int:
    channel, message = args
    receivers = 0
    for receiver in list(session.channels.channels.get(channel, ())):
        _push(receiver, [b"message", channel, message])
        receivers += 1
    for pattern, members in session.channels.patterns.items():
        if compile_pattern(pattern).match(channel):
            for receiver in list(members):
                _push(receiver, [b"pmessage", pattern, channel, message])
                receivers += 1
    return receivers


def subscribe(session: "Session", args: list[bytes]) -> Encoded:
    return _subscribe(session, b"subscribe", session.channels.channels, args)


def psubscribe(session: "Session", args: list[bytes]) -> Encoded:
    return _subscribe(session, b"psubscribe", session.channels.patterns, args)


def unsubscribe(session: "Session", args: list[bytes]) -> Encoded:
    return _unsubscribe(session, b"unsubscribe", session.channels.channels, args)


def punsubscribe(session: "Session", args: list[bytes]) -> Encoded:
    return _unsubscribe(session, b"punsubscribe", session.channels.patterns, args)


def pubsub_channels(session: "Session", args: list[bytes]) -> list[bytes]:
    if len(args) > 1:
        raise not_simulated([b"PUBSUB", b"CHANNELS", *args], "with several patterns")
    return [name for name in session.channels.channels if not args or compile_pattern(args[0]).match(name)]


def pubsub_numsub(session: "Session", args: list[bytes]) -> list[Any]:
    return [item for name in args for item in (name, len(session.channels.channels.get(name, ())))]


def pubsub_numpat(session: "Session", _args: list[bytes]) -> int:
    return len(session.channels.patterns)


def _push(receiver: "Session", message: list[bytes]) -> None:
    receiver.wire.push(encode(Push(message), receiver.resp))


def _subscribe(session: "Session", word: bytes, group: Group, args: list[bytes]) -> Encoded:
    messages = []
    for name in args:
        if name.startswith(_KEYSPACE_EVENTS):
            # They are off in a fresh server: who waits for one relies on a configuration that is not modelled.
            raise not_simulated([word.upper(), name], "for keyspace events")
        session.channels.join(group, name, session)
        messages.append(_confirmation(session, word, name))
    return Encoded(b"".join(messages))


def _unsubscribe(session: "Session", word: bytes, group: Group, args: list[bytes]) -> Encoded:
    names = args or joined(group, session)
    messages = []
    for name in names:
        session.channels.part(group, name, session)
        messages.append(_confirmation(session, word, name))
    return Encoded(b"".join(messages) or _confirmation(session, word, None))


def _confirmation(session: "Session", word: bytes, name: bytes | None) -> bytes:
    return encode(Push([word, name, session.channels.count(session)]), session.resp)
