"""The Redis client, with time-outs short enough that a lost Redis never slows a checkout down."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

TIMEOUT_S = 0.25


def open_redis(url: str) -> Redis:
    """A client that connects on first use, fails within TIMEOUT_S and never repeats a command by itself."""
    client: Redis = Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        protocol=2,
        driver_info=None,
    )
    return client
