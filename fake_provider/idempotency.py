"""What was answered to which key, and which keys are being worked on."""

from dataclasses import dataclass
from typing import Any

from fake_provider.actions import Response
from fake_provider.errors import ApiError
from fake_provider.profile import Profile

Scope = tuple[str, str]  # (account, key)


@dataclass(slots=True)
class Entry:
    """One key: what it was first used for, and the answer once there is one.

    ready_us: until then the key is in flight. response: None while it is, or when the answer is not to be
    stored.
    """

    path: str
    params: dict[str, Any]
    created_us: int
    ready_us: int
    request_id: str
    response: Response | None = None


class IdempotencyStore:
    """The keys of all accounts, oldest first; a key older than the profile's window is forgotten."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._entries: dict[Scope, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def claim(self, scope: Scope, entry: Entry) -> None:
        """Marks a key as in flight."""
        self._entries[scope] = entry

    def forget(self, scope: Scope) -> None:
        """Removes a key, as its lifetime would."""
        self._entries.pop(scope, None)

    def settle(self, scope: Scope, response: Response, ready_us: int) -> None:
        """Stores the first answer, if the profile keeps such answers, else frees the key."""
        entry = self._entries.get(scope)
        if entry is None:
            return
        kept = self._profile.stored == "executed" or (
            self._profile.stored == "2xx" and 200 <= response.status < 300
        )
        entry.ready_us = ready_us
        if kept:
            entry.response = response
        elif ready_us <= entry.created_us:
            del self._entries[scope]

    def find(self, scope: Scope, now_us: int) -> Entry | None:
        """The live entry of a key: one in flight, or one with an answer."""
        self._prune(now_us)
        entry = self._entries.get(scope)
        if entry is not None and entry.response is None and entry.ready_us <= now_us:
            del self._entries[scope]
            return None
        return entry

    def check(self, entry: Entry, key: str, path: str, params: dict[str, Any]) -> None:
        """Raises the 400 answer when the key was first used for something else and the profile minds."""
        if self._profile.mismatch == "ignore":
            return
        if entry.path != path:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{path}' vs '{entry.path}'). Try using a key other than '{key}' if you meant to execute a "
                "different request.",
                kind="idempotency_error",
            )
        if entry.params != params:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used "
                f"with. Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )

    def _prune(self, now_us: int) -> None:
        """Forgets keys from the oldest on; keys are inserted in the order of their creation."""
        oldest_kept_us = now_us - self._profile.window_us
        while self._entries:
            scope = next(iter(self._entries))
            if self._entries[scope].created_us >= oldest_kept_us:
                return
            del self._entries[scope]
