"""What the service reads from its environment, once, at start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Addresses and secrets. Times are in seconds."""

    database_url: str
    redis_url: str
    stripe_api_base: str
    stripe_api_key: str
    stripe_webhook_secret: str
    worker_poll_s: float = 1.0

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Reads the environment; a missing variable is an error that names it."""
        return cls(
            database_url=_required(env, "DATABASE_URL"),
            redis_url=_required(env, "REDIS_URL"),
            stripe_api_base=env.get("STRIPE_API_BASE", "https://api.stripe.com"),
            stripe_api_key=_required(env, "STRIPE_API_KEY"),
            stripe_webhook_secret=_required(env, "STRIPE_WEBHOOK_SECRET"),
            worker_poll_s=float(env.get("WORKER_POLL_SECONDS", "1.0")),
        )


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise LookupError(f"{name} is not set; the service needs it (targets/checkout/README.md lists all).")
    return value
