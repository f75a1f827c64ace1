"""The target's Redis in a live world: struck and observed over a connection of our own, beside the gate."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.errors import InfrastructureError
from harness.live.address import Address

CALL_S = 5.0


class LiveKeyStore:
    """One database of a Redis server. It is flushed between runs, so a server that is named should name one."""

    def __init__(self, server: Address) -> None:
        self._client = redis.Redis(
            host=server.host,
            port=server.port,
            db=int(server.path or 0),
            username=server.user or None,
            password=server.password or None,
            socket_timeout=CALL_S,
            socket_connect_timeout=CALL_S,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        try:
            self._client.ping()
        except redis.RedisError as error:
            raise InfrastructureError(
                f"Redis at {server.host}:{server.port} does not answer ({error}); check PAYCHAOS_REDIS_URL."
            ) from error

    def close(self) -> None:
        self._client.close()

    def expire(self, pattern: str) -> list[str]:
        """The time to live of matching keys runs out now. Keys without one cannot expire and stay."""
        keys = [key for key in self._keys(pattern) if int(self._client.pttl(key)) >= 0]
        for key in keys:
            self._client.pexpireat(key, 1)
        return keys

    def evict(self, pattern: str) -> list[str]:
        keys = self._keys(pattern)
        if keys:
            self._client.delete(*keys)
        return keys

    def flush(self) -> list[str]:
        keys = self._keys("*")
        self._client.flushdb()
        return keys

    def reset(self) -> None:
        self._client.flushdb()
        left = self._keys("*")
        if left:
            raise InfrastructureError(
                f"Redis was not empty after a reset: {left[0]!r}; does a process of the target write unasked?"
            )

    def snapshot(self) -> dict[str, Any]:
        """Every key with its type, value and time to live in microseconds (None: never), as in the simulation."""
        return {key: self._as_json(key) for key in self._keys("*")}

    def _keys(self, pattern: str) -> list[str]:
        return sorted(str(key) for key in self._client.scan_iter(match=pattern, count=1_000))

    def _as_json(self, key: str) -> dict[str, object]:
        client: Any = self._client
        kind = client.type(key)
        readers: dict[str, Any] = {
            "string": lambda: client.get(key),
            "list": lambda: client.lrange(key, 0, -1),
            "hash": lambda: client.hgetall(key),
            "set": lambda: sorted(client.smembers(key)),
            "zset": lambda: dict(client.zrange(key, 0, -1, withscores=True)),
            "stream": lambda: [[at, fields] for at, fields in client.xrange(key)],
        }
        left_ms = client.pttl(key)
        value = readers[kind]() if kind in readers else None
        return {"type": kind, "value": value, "ttl_us": left_ms * 1_000 if left_ms >= 0 else None}
