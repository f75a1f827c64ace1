"""Provider events on their way from the API to the worker: a list in Redis."""

import json
from typing import Any

from redis.asyncio import Redis

EVENTS = "provider-events"


async def push(redis: Redis, event: dict[str, Any]) -> None:
    await redis.rpush(EVENTS, json.dumps(event))


async def pop(redis: Redis) -> dict[str, Any] | None:
    """The oldest event, or None when there is none."""
    text = await redis.lpop(EVENTS)
    if text is None:
        return None
    assert isinstance(text, str)
    event: dict[str, Any] = json.loads(text)
    return event
