"""Addresses that a user names: parsed, and allowed only on hosts that the configuration allows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from harness.errors import UsageError

ALLOWED = "PAYCHAOS_ALLOW_HOSTS"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and how to get in. `path` is the database's name or number."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    path: str = ""


def named_address(variable: str, default_port: int, env: Mapping[str, str] = os.environ) -> Address | None:
    """The address in an environment variable, None when it is not set. Raises UsageError on a host not allowed."""
    text = env.get(variable, "")
    if not text:
        return None
    parts = urlsplit(text)
    host = parts.hostname
    if not host:
        raise UsageError(
            f"{variable}={text!r} names no host; it reads scheme://user:password@host:port/name."
        )
    check_host(host, variable, env)
    return Address(
        host,
        parts.port or default_port,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        parts.path.strip("/"),
    )


def check_host(host: str, named_by: str, env: Mapping[str, str] = os.environ) -> None:
    """Chaos goes only where it was invited: to this machine, and to hosts listed in PAYCHAOS_ALLOW_HOSTS."""
    allowed = [name.strip() for name in env.get(ALLOWED, "").split(",") if name.strip()]
    if host not in _LOOPBACK and host not in allowed:
        raise UsageError(
            f"{named_by} names the host {host!r}; faults are injected on this machine only, and on hosts that"
            f" {ALLOWED} lists. If it is a test system: {ALLOWED}={host}"
        )
