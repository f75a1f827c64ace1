"""A profile: everything about a provider that differs between providers or that nobody publishes, as data.

Profiles are TOML files beside this module (`profiles/`) or a user's own; every setting has the default of
`stripe_v1`. Times in the file are seconds (fractions allowed) under names ending in `_s`; here they are integer
microseconds.
"""

import difflib
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from fake_provider.errors import ProfileError

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
FOLDER = Path(__file__).parent / "profiles"

CHOICES = {
    "stored": ("executed", "2xx", "none"),
    "mismatch": ("error", "ignore"),
    "in_flight": ("conflict", "wait"),
    "ids": ("counter", "long"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one provider. `_us` are microseconds; `rate_limit_per_s` and `duplicate_window_us` of 0 are off."""

    name: str = "stripe_v1"
    # Idempotency. `stored`: which first answers are kept (all that executed, 2xx only, none at all).
    window_us: int = DAY_US
    stored: str = "executed"
    mismatch: str = "error"
    in_flight: str = "conflict"
    # Instead of keys: refuse a payment that equals one of the last `duplicate_window_us` in all these
    # members.
    duplicate_window_us: int = 0
    duplicate_members: tuple[str, ...] = ("amount", "currency", "metadata.order_id")
    # Service. `lock_wait_us`: how long a request waits for a locked object before 429 lock_timeout.
    latency_us: int = 0
    lock_wait_us: int = 3 * SECOND_US
    rate_limit_per_s: int = 0
    api_version: str = "2026-10-28.endive"
    ids: str = "counter"
    fixtures: bool = True
    # Money. The fee is `fee_permille` per mille of the amount plus `fee_fixed`.
    minimum_amount: int = 50
    fee_permille: int = 29
    fee_fixed: int = 30
    dispute_fee: int = 1500
    # Time. Authorisation windows by kind of card; Visa's is shorter when the merchant, not the customer,
    # started it.
    authorization_us: int = 7 * DAY_US
    authorization_merchant_us: int = 4 * DAY_US + 18 * HOUR_US
    settles_us: int = HOUR_US
    session_us: int = DAY_US
    available_us: int = 2 * DAY_US
    payout_automatic: bool = True
    payout_transit_us: int = DAY_US
    # Callbacks. `webhook_retries_us`: the pauses before the second, third ... attempt; then it gives up (3
    # days in all).
    webhook_delay_us: int = 50_000
    webhook_timeout_us: int = 10 * SECOND_US
    webhook_retries_us: tuple[int, ...] = tuple(
        s * SECOND_US for s in (60, 300, 1200, 3600, 10800, 21600, 43200, 86400, 92040)
    )
    secret_roll_us: int = DAY_US
    events_kept_us: int = 30 * DAY_US

    @classmethod
    def stripe_v1(cls, **changes: Any) -> "Profile":
        """Stripe's API v1, the default; `changes` replace single settings (`latency_us=80_000`)."""
        return replace(cls(), **changes)

    @classmethod
    def load(cls, source: str | Path) -> "Profile":
        """A shipped profile by name (`two_xx_only`), or a TOML file by path."""
        shipped = shipped_profiles()
        path = shipped.get(str(source), Path(source))
        if not path.is_file():
            raise ProfileError(
                f"profile '{source}' does not exist: neither a file nor one of {', '.join(sorted(shipped))}."
            )
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            raise ProfileError(f"profile {path} is not TOML: {problem}.") from None
        return cls.from_settings({"name": path.stem, **settings}, str(path))

    @classmethod
    def from_settings(cls, settings: dict[str, Any], origin: str) -> "Profile":
        """A profile from TOML members; raises `ProfileError` naming the first that is wrong."""
        defaults = cls()
        known = {field.name: getattr(defaults, field.name) for field in fields(cls)}
        read: dict[str, Any] = {}
        for name, value in settings.items():
            target = name.removesuffix("_s") + "_us" if name.removesuffix("_s") + "_us" in known else name
            if target not in known or name.endswith("_us"):
                raise ProfileError(f"{origin}: unknown setting '{name}'.{_suggest(name, known)}")
            read[target] = _setting(origin, name, value, known[target], in_seconds=target.endswith("_us"))
        return cls(**read)


def shipped_profiles() -> dict[str, Path]:
    """The profiles that come with the package, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def _setting(origin: str, name: str, value: Any, default: Any, *, in_seconds: bool) -> Any:
    if in_seconds and isinstance(default, tuple):
        if not isinstance(value, list):
            raise ProfileError(f"{origin}: '{name}' is {value!r}; it must be a list of seconds.")
        return tuple(_seconds(origin, name, item) for item in value)
    if in_seconds:
        return _seconds(origin, name, value)
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ProfileError(f"{origin}: '{name}' is {value!r}; it must be a list of texts.")
        return tuple(value)
    if type(value) is not type(default) or (isinstance(value, int) and value < 0):
        rule = {bool: "true or false", int: "a whole number, 0 or more", str: "a text"}[type(default)]
        raise ProfileError(f"{origin}: '{name}' is {value!r}; it must be {rule}.")
    if name in CHOICES and value not in CHOICES[name]:
        raise ProfileError(f"{origin}: '{name}' is {value!r}; it must be one of {', '.join(CHOICES[name])}.")
    return value


def _seconds(origin: str, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**9:
        raise ProfileError(f"{origin}: '{name}' is {value!r}; it must be a number of seconds, 0 or more.")
    return round(value * SECOND_US)


def _suggest(name: str, known: dict[str, Any]) -> str:
    names = [
        known_name.removesuffix("_us") + "_s" if known_name.endswith("_us") else known_name
        for known_name in known
    ]
    close = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean '{close[0]}'?" if close else f" Known are: {', '.join(names)}."
