"""Final answers by idempotency key, kept in Redis so that a customer's retry does not need PostgreSQL.

An answer is cached only after it was committed and never changes afterwards, so the cache cannot be wrong,
only empty: expired, evicted, flushed or unreachable, it costs one query. After a failure Redis is left alone
for REST_S.
"""

import asyncio
import json
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from targets.checkout.shapes import Answer

log = logging.getLogger(__name__)

KEEP_S = 24 * 3_600
REST_S = 5.0


class AnswerCache:
    """``get`` and ``put`` never fail."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._resting_until = 0.0

    async def get(self, key: str, fingerprint: str) -> Answer | None:
        """The final answer to this very request, if it is at hand."""
        if self._resting():
            return None
        try:
            text = await self._redis.get(f"answer:{key}")
        except (RedisError, OSError) as error:
            self._rest(error)
            return None
        if text is None:
            return None
        entry = json.loads(text)
        if entry["fingerprint"] != fingerprint:
            return None
        return Answer(entry["status_code"], entry["body"])

    async def put(self, key: str, fingerprint: str, answer: Answer) -> None:
        """Remembers a final answer."""
        if self._resting():
            return
        entry = {"fingerprint": fingerprint, "status_code": answer.status_code, "body": answer.body}
        try:
            await self._redis.set(f"answer:{key}", json.dumps(entry), ex=KEEP_S)
        except (RedisError, OSError) as error:
            self._rest(error)

    def _resting(self) -> bool:
        return asyncio.get_running_loop().time() < self._resting_until

    def _rest(self, error: Exception) -> None:
        log.warning("Redis left alone for %s s: %r", REST_S, error)
        self._resting_until = asyncio.get_running_loop().time() + REST_S
