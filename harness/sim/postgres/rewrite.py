"""Rewrites the SQL of a target where its text alone tells that real time would be read, and refuses what would leak.

`CURRENT_TIMESTAMP` and its kin are keywords that no function can replace, so they become calls of functions of the
same name; `'now'::timestamptz` becomes `now()`; time-outs are settings of our own, because PostgreSQL's would be
kept in real time. Everything else is passed on as it is.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.errors import NotSimulated
from harness.sim.postgres import refusals, timeouts
from harness.wire.postgres_sql import Token, tokens

_KEYWORDS = frozenset({"current_timestamp", "current_date", "current_time", "localtimestamp", "localtime"})
_MOMENTS = {
    "now": "now()",
    "today": '"current_date"()',
    "tomorrow": '("current_date"() + 1)',
    "yesterday": '("current_date"() - 1)',
}
_TIME_TYPES = frozenset({"timestamptz", "timestamp", "date", "time", "timetz"})
_TEXT_TYPES = frozenset({"text", "varchar", "char", "bpchar", "character", "name", "citext"})
_BODIES = frozenset({"create", "do"})

DEFINING = r"\b(?:create|alter|drop|truncate|lock|refresh)\b"
"""What a text must hold to change the catalogue or to keep others from reading a table, as a pattern."""

# Statements without any of these words are passed on unread.
_SUSPICIOUS = re.compile(
    r"current_|localtime|'\s*(?:now|today|tomorrow|yesterday)\b|_timeout|" + refusals.SUSPICIOUS,
    re.IGNORECASE,
)
_LISTEN = re.compile(r"\blisten\b", re.IGNORECASE)
_NOTIFY = re.compile(r"notify\b", re.IGNORECASE)
_DEFINE = re.compile(DEFINING, re.IGNORECASE)
_CONTEXT = re.compile(
    r"isolation\s+level\s+(?!read\s+committed)|transaction_isolation|search_path|\b(?:role|authorization|schema)\b",
    re.IGNORECASE,
)
_PREPARED = re.compile(r"\b(?:prepare|deallocate|discard)\b", re.IGNORECASE)


class Edit(NamedTuple):
    """The characters of the original from `start` to `end` became `text`."""

    start: int
    end: int
    text: str


class Statement(NamedTuple):
    """One SQL text as the server gets it.

    edits: what was changed, in order. refusal: raises, if it may not run during a run (a schema may do more).
    listens, notifies: it may listen to a channel, or notify. sets_timeout: it may change a time-out.
    defines: it may change the catalogue or lock a table. changes_context: it may change how later statements are
    read or what they see. prepares: it may prepare or forget statements by name.
    """

    sql: str
    edits: tuple[Edit, ...] = ()
    refusal: NotSimulated | None = None
    listens: bool = False
    notifies: bool = False
    sets_timeout: bool = False
    defines: bool = False
    changes_context: bool = False
    prepares: bool = False

    def original_position(self, position: int) -> int:
        """A position (from 1) in the rewritten text as the position in the original."""
        at = position - 1
        for edit in self.edits:
            if at < edit.start:
                break
            at = max(at - len(edit.text) + (edit.end - edit.start), edit.start)
        return at + 1


@lru_cache(maxsize=8192)
def rewrite(sql: str) -> Statement:
    """Raises `NotSimulated` for a text that would read real time and cannot be rewritten."""
    plain = Statement(
        sql,
        listens=_LISTEN.search(sql) is not None,
        notifies=_NOTIFY.search(sql) is not None,
        defines=_DEFINE.search(sql) is not None,
        changes_context=may_change_context(sql),
        prepares=_PREPARED.search(sql) is not None,
    )
    if _SUSPICIOUS.search(sql) is None:
        return plain
    found = list(tokens(sql))
    edits = tuple(_edits(found))
    return plain._replace(
        sql=_apply(sql, edits),
        edits=edits,
        refusal=refusals.refusal(found),
        sets_timeout=timeouts.may_change(found),
    )


def may_change_context(text: str) -> bool:
    """Whether SQL or start-up parameters may set a schema, a role or an isolation level."""
    return _CONTEXT.search(text) is not None


def _apply(sql: str, edits: Sequence[Edit]) -> str:
    if not edits:
        return sql
    parts, at = [], 0
    for edit in edits:
        parts += [sql[at : edit.start], edit.text]
        at = edit.end
    parts.append(sql[at:])
    return "".join(parts)


def _edits(found: Sequence[Token]) -> list[Edit]:
    edits: list[Edit] = []
    defines = bool(found) and found[0].text.lower() in _BODIES
    for index, token in enumerate(found):
        edit = None
        if token.kind == "word":
            edit = _keyword(found, index) or timeouts.renamed(found, index, Edit)
        elif token.kind == "string":
            edit = _moment(found, index) or timeouts.renamed(found, index, Edit)
        if defines and token.kind in ("string", "dollar"):
            edit = _body(found, index) or edit
        if edit is not None:
            edits.append(edit)
    return edits


def _before(found: Sequence[Token], index: int) -> str:
    return found[index - 1].text.lower() if index else ""


def _after(found: Sequence[Token], index: int) -> str:
    return found[index + 1].text.lower() if index + 1 < len(found) else ""


def _keyword(found: Sequence[Token], index: int) -> Edit | None:
    """CURRENT_TIMESTAMP or CURRENT_TIMESTAMP(3) as a function call; not when it names a column."""
    token = found[index]
    name = token.text.lower()
    if name not in _KEYWORDS or _before(found, index) in (".", "as"):
        return None
    call = f'"{name}"' if _after(found, index) == "(" else f'"{name}"()'
    return Edit(token.at, token.at + len(token.text), call)


def _moment(found: Sequence[Token], index: int) -> Edit | None:
    """A literal that PostgreSQL's own input functions read as the real now, today, tomorrow or yesterday."""
    token = found[index]
    words = token.text.strip("'").split()
    if not words or words[0].lower() not in _MOMENTS:
        return None
    kind, start = _type_of(found, index)
    if kind not in _TIME_TYPES:
        if len(words) > 1 or kind in _TEXT_TYPES:
            return None
        raise NotSimulated(
            f"the literal {token.text}, which may be read as a time",
            f"Write {_MOMENTS[words[0].lower()]}, or {token.text}::text if it is only a word.",
        )
    if len(words) > 1 or found[0].text.lower() in ("create", "alter"):
        raise NotSimulated(
            f"the literal {token.text} as a {kind}", f"Write an expression with {_MOMENTS[words[0].lower()]}."
        )
    return Edit(start, token.at + len(token.text), f"({_MOMENTS[words[0].lower()]}::{kind})")


def _type_of(found: Sequence[Token], index: int) -> tuple[str, int]:
    """The type of a literal where the text says so, and where literal and type begin.

    ``'now'::date``, ``date 'now'``, ``timestamp with time zone 'now'``, ``cast('now' as date)``.
    """
    texts = [token.text.lower() for token in found[index + 1 : index + 5]]
    if texts[:2] == [":", ":"] and len(texts) > 2:
        return _alias(texts[2:]), found[index].at
    if (
        texts[:1] == ["as"]
        and _before(found, index) == "("
        and index > 1
        and _before(found, index - 1) == "cast"
    ):
        return _alias(texts[1:]), found[index].at
    before = [token.text.lower() for token in found[max(index - 4, 0) : index]]
    if before[-3:] == ["with", "time", "zone"] and len(before) == 4:
        return before[0] + "tz", found[index - 4].at
    if before and before[-1] in _TIME_TYPES:
        return before[-1], found[index - 1].at
    return "", found[index].at


def _alias(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    return texts[0] + "tz" if texts[1:2] == ["with"] and texts[0] in ("time", "timestamp") else texts[0]


def _body(found: Sequence[Token], index: int) -> Edit | None:
    """The body of a function or DO block: SQL inside a string."""
    token = found[index]
    if token.kind == "string":
        if any(word in token.text.lower() for word in _KEYWORDS):
            raise NotSimulated(
                f"a keyword of time inside the quoted text {token.text[:60]}",
                "Write now() in it, or put the function's body between $$ and $$.",
            )
        return None
    tag = token.text[: token.text.index("$", 1) + 1]
    inner = token.text[len(tag) : -len(tag)]
    statement = rewrite(inner)
    if statement.sets_timeout:
        raise NotSimulated("a time-out that is set inside a function", "Set it from the client.")
    if statement.sql is inner:
        return None
    return Edit(token.at, token.at + len(token.text), tag + statement.sql + tag)
