"""The numbered databases of the simulated Redis, with expiry in whole virtual milliseconds as in redis-server."""

import heapq
from collections.abc import Callable
from typing import Any

from harness.sim.redis.borrowed import Database, Item

DATABASES = 16
VERSION = (6, 2)


class VirtualDatabase(Database):
    """One database. A key is gone as soon as its millisecond of expiry has passed, to the millisecond.

    `expireat` of an item and `time` are whole milliseconds since the Unix epoch.
    """

    def __init__(self, keyspace: "Keyspace", number: int) -> None:
        super().__init__(None)
        self.number = number
        self.time: int = keyspace.now_ms
        self._keyspace = keyspace

    def notify_watch(self, key: bytes) -> None:
        """`key` is being changed: transactions that watch it fail, clients that wait for it are looked at."""
        for session in self._watches.get(key, ()):
            session.watched_key_changed()
        self._keyspace.key_changed(self, key)

    def store(self, key: bytes, value: Any, expireat: int | None = None) -> None:
        """Replaces whatever is at `key`."""
        item: Any = Item(value)
        item.expireat = expireat
        self.notify_watch(key)
        self[key] = item

    def expire_at(self, key: bytes, item: Any, expireat: int | None) -> None:
        """Sets or removes the expiry of an item that is there."""
        item.expireat = expireat
        self.schedule_expiry(key, expireat)
        self.notify_watch(key)

    def drop(self, key: bytes) -> bool:
        """Deletes `key`; False when it was not there."""
        if key not in self:
            return False
        self.notify_watch(key)
        del self[key]
        return True

    def peek(self) -> list[tuple[bytes, Item]]:
        """The live keys and items, without expiring anything."""
        return [(key, item) for key, item in self._dict.items() if not self.expired(item)]

    def __getitem__(self, key: bytes) -> Any:
        item = self._dict[key]
        if item.expireat is not None and item.expireat < self.time:
            self._let_expire(key)
            raise KeyError(key)
        return item

    def _remove_expired(self) -> None:
        heap = self._expiry_heap
        while heap and heap[0][0] < self.time:
            _, key = heapq.heappop(heap)
            item = self._dict.get(key)
            if item is not None and self.expired(item):
                self._let_expire(key)

    def _let_expire(self, key: bytes) -> None:
        del self._dict[key]
        self.notify_watch(key)
        self._keyspace.key_expired(self, key)


class Keyspace:
    """All databases, and the state of SCAN; stands where fakeredis' commands expect their server."""

    version = VERSION
    server_type = "redis"

    def __init__(
        self,
        key_changed: Callable[[VirtualDatabase, bytes], None],
        key_expired: Callable[[VirtualDatabase, bytes], None],
    ) -> None:
        self.key_changed = key_changed
        self.key_expired = key_expired
        self.now_us = 0
        self.config: dict[bytes, bytes] = {}
        self.dbs = Databases(self)
        self.scan_cursors: dict[tuple[Any, int], tuple[list[Any], int]] = {}

    @property
    def now_ms(self) -> int:
        return self.now_us // 1000

    def set_time(self, now_us: int) -> None:
        """What every database takes for now, in microseconds since the Unix epoch."""
        self.now_us = now_us
        for database in self.dbs.values():
            database.time = self.now_ms

    def flush(self) -> None:
        """Empties all databases."""
        for database in self.dbs.values():
            database.clear()

    def remember_scan_cursor(self, cursor_key: tuple[Any, int], resume_at: tuple[list[Any], int]) -> None:
        self.scan_cursors[cursor_key] = resume_at

    def forget_scan_snapshot(self, snapshot: list[Any]) -> None:
        self.scan_cursors = {key: at for key, at in self.scan_cursors.items() if at[0] is not snapshot}


class Databases(dict[int, VirtualDatabase]):
    """Makes a database when it is first selected."""

    def __init__(self, keyspace: Keyspace) -> None:
        super().__init__()
        self._keyspace = keyspace

    def __missing__(self, number: int) -> VirtualDatabase:
        database = self[number] = VirtualDatabase(self._keyspace, number)
        return database
