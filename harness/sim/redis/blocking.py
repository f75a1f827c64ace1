"""Commands that wait for a key: BLPOP and its kin, XREAD and XREADGROUP with BLOCK.

Such a command first tries its non-blocking twin. If that finds nothing the client is parked on its keys; when one
of them changes, the clients parked on it are served in the order in which they came, after the command (or the
whole transaction or script) that changed it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.sim.redis.arguments import WRONG_TYPE
from harness.sim.redis.borrowed import Float, Int, SimpleError, XStream, ZSet
from harness.sim.redis.keyspace import VirtualDatabase
from harness.sim.redis.reply import LATER, NO_LIST
from harness.sim.service import Timer

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_NO_GROUP_ANY_MORE = "NOGROUP the consumer group this client was blocked on no longer exists"


@dataclass(slots=True, eq=False)
class Waiter:
    """A parked client.

    serve: what it gets from this key now; None while there is nothing for it. Raises `SimpleError` to end it so.
    """

    session: "Session"
    database: VirtualDatabase
    keys: list[bytes]
    serve: Callable[[bytes], Any]
    timer: Timer | None = None


@dataclass(slots=True)
class Waiters:
    """All parked clients of one server, by key and in order.

    later: starts a timer, in microseconds. answer: gives a parked client its answer, and lets it go on.
    """

    later: Callable[[int, Callable[[], None]], Timer]
    answer: Callable[["Session", Any], None]
    parked: dict["Session", Waiter] = field(default_factory=dict)
    _by_key: dict[tuple[VirtualDatabase, bytes], list[Waiter]] = field(default_factory=dict)
    _changed: dict[tuple[VirtualDatabase, bytes], None] = field(default_factory=dict)

    def park(self, waiter: Waiter, timeout_ms: int) -> None:
        """Parks a client, for ever if the time-out is 0."""
        self.parked[waiter.session] = waiter
        for key in dict.fromkeys(waiter.keys):
            self._by_key.setdefault((waiter.database, key), []).append(waiter)
        if timeout_ms:
            waiter.timer = self.later(timeout_ms * 1000, lambda: self._time_out(waiter))

    def key_changed(self, database: VirtualDatabase, key: bytes) -> None:
        if (database, key) in self._by_key:
            self._changed[database, key] = None

    def serve(self) -> None:
        """Serves whoever can be served now; what they take or put may serve others."""
        while self._changed:
            place = next(iter(self._changed))
            del self._changed[place]
            for waiter in list(self._by_key.get(place, ())):
                try:
                    value = waiter.serve(place[1])
                except SimpleError as error:
                    value = error
                if value is not None:
                    self._end(waiter, value)

    def forget(self, session: "Session") -> None:
        """The client is gone."""
        waiter = self.parked.pop(session, None)
        if waiter is None:
            return
        if waiter.timer is not None:
            waiter.timer.cancel()
        for key in dict.fromkeys(waiter.keys):
            place = (waiter.database, key)
            self._by_key[place].remove(waiter)
            if not self._by_key[place]:
                del self._by_key[place]
                self._changed.pop(place, None)

    def _time_out(self, waiter: Waiter) -> None:
        if self.parked.get(waiter.session) is waiter:
            self._end(waiter, NO_LIST)

    def _end(self, waiter: Waiter, value: Any) -> None:
        self.forget(waiter.session)
        self.answer(waiter.session, value)


def blpop(session: "Session", args: list[bytes]) -> Any:
    return _pop(session, args, list, "lpop", _key_and_element)


def brpop(session: "Session", args: list[bytes]) -> Any:
    return _pop(session, args, list, "rpop", _key_and_element)


def bzpopmin(session: "Session", args: list[bytes]) -> Any:
    return _pop(session, args, ZSet, "zpopmin", _key_and_pair)


def bzpopmax(session: "Session", args: list[bytes]) -> Any:
    return _pop(session, args, ZSet, "zpopmax", _key_and_pair)


def brpoplpush(session: "Session", args: list[bytes]) -> Any:
    return _move(session, args[:2], args[2], [b"RIGHT", b"LEFT"])


def blmove(session: "Session", args: list[bytes]) -> Any:
    if any(end.lower() not in (b"left", b"right") for end in args[2:4]):
        raise SimpleError("ERR syntax error")
    return _move(session, args[:2], args[4], args[2:4])


def xread(session: "Session", args: list[bytes]) -> Any:
    return _read(session, args, "xread")


def xreadgroup(session: "Session", args: list[bytes]) -> Any:
    return _read(session, args, "xreadgroup")


def _key_and_element(key: bytes, value: Any) -> list[Any]:
    return [key, value]


def _key_and_pair(key: bytes, value: Any) -> list[Any]:
    return [key, *value]


def _pop(
    session: "Session", args: list[bytes], kind: type, twin: str, shape: Callable[[bytes, Any], list[Any]]
) -> Any:
    keys = args[:-1]
    timeout_ms = _seconds(args[-1])

    def serve(key: bytes) -> Any:
        item = database.get(key)
        if item is None or not isinstance(item.value, kind) or not item.value:
            return None
        return shape(key, _twin(session, database, twin, [key]))

    database = session.db
    for key in keys:
        item = database.get(key)
        if item is not None and not isinstance(item.value, kind):
            raise SimpleError(WRONG_TYPE)
        value = serve(key)
        if value is not None:
            return value
    return _park(session, keys, serve, timeout_ms, NO_LIST)


def _move(session: "Session", keys: list[bytes], timeout: bytes, ends: list[bytes]) -> Any:
    timeout_ms = _seconds(timeout)
    database = session.db

    def serve(key: bytes) -> Any:
        item = database.get(key)
        if item is None or not isinstance(item.value, list):
            return None
        return _twin(session, database, "lmove", [*keys, *ends])

    item = database.get(keys[0])
    if item is not None and not isinstance(item.value, list):
        raise SimpleError(WRONG_TYPE)
    value = serve(keys[0])
    return _park(session, keys[:1], serve, timeout_ms, None) if value is None else value


def _read(session: "Session", args: list[bytes], twin: str) -> Any:
    at = next((at for at, word in enumerate(args) if word.lower() == b"streams"), len(args))
    options, timeout_ms = _block_option(args[:at])
    names = args[at + 1 :]
    half = len(names) // 2
    if len(names) % 2 == 0 and _is_well_formed(options, twin):
        _check_streams(session.db, names[:half], args[1] if twin == "xreadgroup" else None)
    if timeout_ms is None or len(names) % 2 or not half:
        return _twin(session, session.db, twin, args) or NO_LIST
    database = session.db
    keys = names[:half]
    starts = [_start(database, key, start) for key, start in zip(keys, names[half:], strict=True)]
    value = _twin(session, database, twin, [*options, b"STREAMS", *keys, *starts])
    if value:
        return value

    def serve(key: bytes) -> Any:
        item = database.get(key)
        if item is None or not isinstance(item.value, XStream):
            return None
        try:
            return (
                _twin(session, database, twin, [*options, b"STREAMS", key, starts[keys.index(key)]]) or None
            )
        except SimpleError:
            raise SimpleError(_NO_GROUP_ANY_MORE) from None

    return _park(session, keys, serve, timeout_ms, NO_LIST)


def _is_well_formed(options: list[bytes], twin: str) -> bool:
    """Whether the twin will not stumble over what is before the keys; if it does, that is the error."""
    rest = options
    if twin == "xreadgroup":
        if rest[0].lower() != b"group":
            return False
        rest = [word for word in rest[3:] if word.lower() != b"noack"]
    return not rest or (len(rest) == 2 and rest[0].lower() == b"count" and rest[1].lstrip(b"-").isdigit())


def _check_streams(database: VirtualDatabase, keys: list[bytes], group: bytes | None) -> None:
    for key in keys:
        item = database.get(key)
        if item is not None and not isinstance(item.value, XStream):
            raise SimpleError(WRONG_TYPE)
        if group is not None and (item is None or item.value.group_get(group) is None):
            name, of = _shown(key), _shown(group)
            raise SimpleError(
                f"NOGROUP No such key '{name}' or consumer group '{of}' in XREADGROUP with GROUP option"
            )


def _shown(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _start(database: VirtualDatabase, key: bytes, start: bytes) -> bytes:
    """What `$` means at the moment of the call."""
    item = database.get(key)
    if start != b"$" or item is None or not isinstance(item.value, XStream):
        return b"0-0" if start == b"$" else start
    return item.value.last_id.encode()


def _block_option(options: list[bytes]) -> tuple[list[bytes], int | None]:
    """The options without BLOCK, and its milliseconds."""
    at = next((at for at, word in enumerate(options) if word.lower() == b"block"), None)
    if at is None or at + 1 >= len(options):
        return options, None
    timeout_ms = Int.decode(options[at + 1], "ERR timeout is not an integer or out of range")
    if timeout_ms < 0:
        raise SimpleError("ERR timeout is negative")
    return options[:at] + options[at + 2 :], timeout_ms


def _seconds(text: bytes) -> int:
    """A time-out in seconds, as milliseconds."""
    seconds = Float.decode(text, decode_error="ERR timeout is not a float or out of range")
    if seconds < 0:
        raise SimpleError("ERR timeout is negative")
    return math.ceil(seconds * 1000)


def _twin(session: "Session", database: VirtualDatabase, name: str, args: list[bytes]) -> Any:
    """Runs the non-blocking command in the database that the client had selected when it called."""
    selected = session.db
    session.select_database(database.number)
    try:
        found = session.borrow(name, args)
        return _with_deleted(found) if name == "xreadgroup" else found
    finally:
        session.select_database(selected.number)


def _with_deleted(found: Any) -> Any:
    """A pending entry that has been deleted from its stream has no list of fields."""
    streams = found.items() if isinstance(found, dict) else found or []
    for _, entries in streams:
        for entry in entries:
            entry[1] = NO_LIST if entry[1] is None else entry[1]
    return found


def _park(
    session: "Session", keys: list[bytes], serve: Callable[[bytes], Any], timeout_ms: int, at_once: Any
) -> Any:
    """Parks the client; in a transaction nobody waits, and the answer is `at_once`."""
    if session.in_transaction:
        return at_once
    session.waiters.park(Waiter(session, session.db, keys, serve), timeout_ms)
    return LATER
