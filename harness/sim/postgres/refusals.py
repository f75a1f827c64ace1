"""Statements that the simulated PostgreSQL refuses, because their answer would differ from run to run."""

from collections.abc import Iterator, Sequence

from harness.errors import NotSimulated
from harness.wire.postgres_sql import Token

SUSPICIOUS = (
    r"\b(?:[xc]m(?:in|ax)|pg_stat_\w+|pg_locks|pg_prepared_xacts|pg_prepared_statements|tablesample|analy[sz]e|vacuum|cluster|reindex|checkpoint"
    r"|role|user|group|database|tablespace|system|extension|load|prepare|prepared|deferrable|subscription|publication"
    r"|copy|data_directory|hba_file|config_file|unix_socket_directories)\b"
)
"""Words without which no statement is refused, as a pattern."""

_SYSTEM_COLUMNS = frozenset({"xmin", "xmax", "cmin", "cmax"})
_LOOKS = frozenset({"pg_locks", "pg_prepared_xacts", "pg_prepared_statements"})
_PATHS = frozenset({"data_directory", "hba_file", "config_file", "unix_socket_directories"})
_UPKEEP = frozenset({"vacuum", "analyze", "analyse", "cluster", "reindex", "checkpoint"})
_SHARED = frozenset(
    {"role", "user", "group", "database", "tablespace", "system", "subscription", "publication"}
)
_EXTENSIONS = frozenset({"plpgsql", "vector"})


def refusal(found: Sequence[Token]) -> NotSimulated | None:
    """Why a text may not run, or None."""
    for statement in _statements(found):
        refused = _statement(statement)
        if refused is not None:
            return refused
    return None


def _statements(found: Sequence[Token]) -> Iterator[Sequence[Token]]:
    start = 0
    for index, token in enumerate(found):
        if token.text == ";":
            yield found[start:index]
            start = index + 1
    yield found[start:]


def _statement(found: Sequence[Token]) -> NotSimulated | None:
    if not found:
        return None
    words = [token.text.lower() if token.kind == "word" else "" for token in found]
    return _of_verb(words, found) or _of_words(words)


def _of_verb(words: list[str], found: Sequence[Token]) -> NotSimulated | None:
    verb = words[0]
    if verb in _UPKEEP or (verb == "explain" and ("analyze" in words[:4] or "analyse" in words[:4])):
        return NotSimulated(
            f"{verb.upper()}{' ANALYZE' if verb == 'explain' else ''} during a run",
            "What it measures or tidies differs from run to run; leave it out.",
        )
    if verb in ("create", "alter", "drop") and _SHARED.intersection(words[1:3]):
        return NotSimulated(
            f"{verb.upper()} {' '.join(words[1:2]).upper()} during a run",
            "It outlives the run: put it into the target's schema.",
        )
    if verb == "create" and "extension" in words[1:2]:
        return _extension(found)
    if verb == "load":
        return NotSimulated("LOAD", "The embedded PostgreSQL carries plpgsql and vector only.")
    if " ".join(words[:2]) in ("prepare transaction", "commit prepared", "rollback prepared"):
        return NotSimulated(" ".join(words[:2]).upper(), "Two-phase commit is not simulated.")
    if verb == "copy" and "program" in words:
        return NotSimulated("COPY ... PROGRAM", "Use INSERT.")
    if verb in ("begin", "start", "set") and "deferrable" in words and "not" not in words:
        return NotSimulated("a DEFERRABLE transaction", "Leave DEFERRABLE out: it only decides when to wait.")
    return None


def _extension(found: Sequence[Token]) -> NotSimulated | None:
    names = [token.text.strip('"').lower() for token in found[2:] if token.kind in ("word", "quoted")]
    name = next((name for name in names if name not in ("if", "not", "exists")), "")
    if name in _EXTENSIONS:
        return None
    return NotSimulated(
        f"the extension {name!r}",
        "The embedded PostgreSQL carries plpgsql and vector only (gen_random_uuid() needs no extension).",
    )


def _of_words(words: list[str]) -> NotSimulated | None:
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        if word in _SYSTEM_COLUMNS and before != "as":
            return NotSimulated(
                f"the system column {word}",
                "Transaction ids differ from run to run: use a sequence or a column of your own.",
            )
        if word.startswith("pg_stat_") or word in _LOOKS:
            return NotSimulated(
                f"{word}", "It shows real processes and real time; ask the tables of the service."
            )
        if word in _PATHS:
            return NotSimulated(f"the setting {word}", "The simulated server has no place on a disk.")
        if word == "tablesample" and "repeatable" not in words:
            return NotSimulated("TABLESAMPLE without a seed", "Add REPEATABLE (1).")
    return None
