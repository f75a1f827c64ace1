"""Names a Redis message by its command and first key, with everything that changes from run to run left out."""

import hashlib
import re

_KEYLESS = frozenset(
    {
        "ACL", "ASKING", "AUTH", "BGREWRITEAOF", "BGSAVE", "CLIENT", "CLUSTER", "COMMAND", "CONFIG",
        "DBSIZE", "DEBUG", "DISCARD", "ECHO", "EXEC", "FAILOVER", "FLUSHALL", "FLUSHDB", "FUNCTION",
        "HELLO", "INFO", "LASTSAVE", "LATENCY", "MODULE", "MONITOR", "MULTI", "PING", "PUBSUB", "QUIT",
        "RANDOMKEY", "READONLY", "READWRITE", "RESET", "ROLE", "SAVE", "SCAN", "SCRIPT", "SELECT",
        "SHUTDOWN", "SLOWLOG", "SWAPDB", "TIME", "UNWATCH", "WAIT",
    }
)  # fmt: skip
_KEY_SECOND = frozenset({"BITOP", "MEMORY", "OBJECT", "XGROUP", "XINFO"})
_KEY_AFTER_COUNT = {
    "LMPOP": 1,
    "ZMPOP": 1,
    "ZUNION": 1,
    "ZINTER": 1,
    "ZDIFF": 1,
    "SINTERCARD": 1,
    "ZINTERCARD": 1,
}
_KEY_AFTER_COUNT |= {"BLMPOP": 2, "BZMPOP": 2}
_SCRIPTS = frozenset({"EVAL", "EVAL_RO"})
_SCRIPT_HASHES = frozenset({"EVALSHA", "EVALSHA_RO"})
_HEX = re.compile(r"[0-9a-fA-F]{8,}")
_LONGEST_SEGMENT = 40
_RANDOM_CASES = 5


def command_kind(words: list[bytes]) -> str:
    """The kind of a command: ``SET corr:*``, ``EVALSHA 1b936e3f``, ``XREADGROUP orders``, ``CLIENT``.

    The key is the first one that the command names. A script is known by the first eight digits of its SHA-1,
    the same for EVAL and EVALSHA.
    """
    name = _text(words[0]).upper()
    if name in _SCRIPTS and len(words) > 1:
        return f"{name} {hashlib.sha1(words[1]).hexdigest()[:8]}"
    if name in _SCRIPT_HASHES and len(words) > 1:
        return f"{name} {_text(words[1])[:8].lower()}"
    position = _key_position(name, words)
    if position is None or position >= len(words):
        return name
    return f"{name} {normalised_key(words[position])}"


def push_kind(parts: list[bytes]) -> str:
    """The kind of a message that nobody asked for, from its lines: ``MESSAGE orders:*``."""
    name = _text(parts[2]).upper() if len(parts) > 2 else "PUSH"
    return f"{name} {normalised_key(parts[4])}" if len(parts) > 4 and parts[3][:1] == b"$" else name


def normalised_key(key: bytes) -> str:
    """The key with its ids replaced: ``cart:42:items`` gives ``cart:*:items``, ``lock:3f:9a`` gives ``lock:*``."""
    segments: list[str] = []
    # Surrogates stand for bytes that are no text: they are not printable, so such a segment counts as an id.
    for segment in key.decode("utf-8", "surrogateescape").split(":"):
        shown = "*" if _is_id(segment) else segment
        if shown != "*" or segments[-1:] != ["*"]:
            segments.append(shown)
    return ":".join(segments)


def _key_position(name: str, words: list[bytes]) -> int | None:
    if name in _KEYLESS:
        return None
    if name in _KEY_SECOND:
        return 2
    if name in _KEY_AFTER_COUNT:
        return _KEY_AFTER_COUNT[name] + 1
    if name in ("XREAD", "XREADGROUP"):
        return next((at + 1 for at, word in enumerate(words) if word.upper() == b"STREAMS"), None)
    return 1


def _is_id(segment: str) -> bool:
    if not segment.isprintable() or len(segment) > _LONGEST_SEGMENT or any(c.isdigit() for c in segment):
        return True
    if _HEX.fullmatch(segment):
        return True
    # A token of letters only, as random ids without a single digit happen to be: both cases, many times.
    upper = sum(c.isupper() for c in segment)
    return upper >= _RANDOM_CASES and sum(c.islower() for c in segment) >= _RANDOM_CASES


def _text(word: bytes) -> str:
    return word.decode("utf-8", "backslashreplace")
