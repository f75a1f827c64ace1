"""What a SQL text asks for, in a few words free of ids: ``UPDATE orders``, ``SELECT jobs FOR UPDATE SKIP LOCKED``.

`tokens` cuts SQL as PostgreSQL's own scanner does (strings, quoted names, dollar quotes, nested comments), which the
simulated PostgreSQL also uses to rewrite statements. It never judges whether the SQL is right.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\r\n]*)
  | (?P<comment>/\*)
  | (?P<string>[eE]'(?:[^'\\]|\\.|'')*' | (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*')
  | (?P<dollar>\$(?P<tag>(?:[A-Za-z_\u0080-\U0010ffff][\w]*)?)\$.*?\$(?P=tag)\$)
  | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
  | (?P<word>[A-Za-z_\u0080-\U0010ffff][\w$]*)
  | (?P<param>\$\d+)
  | (?P<number>\d[\w.]*|\.\d[\w.]*)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")

_MAIN_VERBS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"})
_NOISE = frozenset(
    [
        "ONLY",
        "LATERAL",
        "TABLE",
        "INTO",
        "FROM",
        "IF",
        "NOT",
        "EXISTS",
        "OR",
        "REPLACE",
        "TEMP",
        "TEMPORARY",
        "UNLOGGED",
        "UNIQUE",
        "CONCURRENTLY",
        "GLOBAL",
        "LOCAL",
        "RECURSIVE",
        "MATERIALIZED",
    ]
)
_SAME = {"START": "BEGIN", "END": "COMMIT", "ABORT": "ROLLBACK"}


class Token(NamedTuple):
    """kind: word, quoted, string, dollar, param, number or other. at: offset of the first character."""

    kind: str
    text: str
    at: int


def tokens(sql: str) -> Iterator[Token]:
    """The tokens of a SQL text without white space and comments."""
    at, end = 0, len(sql)
    while at < end:
        match = _TOKEN.match(sql, at)
        if match is None:  # an unterminated quote: PostgreSQL will say so
            yield Token("other", sql[at:], at)
            return
        kind = match.lastgroup or "other"
        if kind == "comment":
            at = _end_of_comment(sql, match.end())
            continue
        if kind != "space":
            yield Token(kind, match.group(), at)
        at = match.end()


def _end_of_comment(sql: str, at: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(sql, at)
        if edge is None:
            return len(sql)
        depth += 1 if edge.group() == "/*" else -1
        at = edge.end()
    return at


@lru_cache(maxsize=8192)
def statement_kind(sql: str) -> str:
    """Verb and main table of the first statement of `sql`; ``EMPTY`` when there is none."""
    found: list[Token] = []
    for token in tokens(sql):
        if token.text == ";":
            if found:
                break
            continue
        found.append(token)
    return _kind(found)


def _kind(found: Sequence[Token]) -> str:
    if not found:
        return "EMPTY"
    verb = _upper(found[0])
    if found[0].text == "(":
        return _kind(found[1:])
    if verb == "WITH":
        return _with(found)
    if verb in ("SELECT", "VALUES", "TABLE"):
        return _select(found)
    if verb in ("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "LOCK", "COPY", "CALL"):
        return _join(verb, _name(found, 1))
    if verb in ("CREATE", "ALTER", "DROP", "REFRESH"):
        return _definition(verb, found)
    if verb in ("LISTEN", "UNLISTEN", "NOTIFY"):
        return _join(verb, found[1].text.strip('"') if len(found) > 1 else "")
    if verb in ("ROLLBACK", "RELEASE", "PREPARE"):
        return _transactional(verb, found)
    return _SAME.get(verb, verb)


def _upper(token: Token) -> str:
    return token.text.upper() if token.kind == "word" else ""


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def _name(found: Sequence[Token], at: int) -> str:
    """The possibly qualified name at or after `at`, noise words skipped; ``public.`` is left out."""
    while at < len(found) and (_upper(found[at]) in _NOISE or found[at].text == "("):
        at += 1
    parts: list[str] = []
    while at < len(found) and found[at].kind in ("word", "quoted"):
        token = found[at]
        parts.append(token.text.lower() if token.kind == "word" else token.text[1:-1].replace('""', '"'))
        if at + 1 >= len(found) or found[at + 1].text != ".":
            break
        at += 2
    if len(parts) > 1 and parts[0] == "public":
        parts = parts[1:]
    return ".".join(parts)


def _top_level(found: Sequence[Token]) -> Iterator[int]:
    depth = 0
    for index, token in enumerate(found):
        if token.kind == "other":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0:
            yield index


def _select(found: Sequence[Token]) -> str:
    verb = "SELECT" if _upper(found[0]) == "TABLE" else _upper(found[0])
    source, locking = "", ""
    for index in _top_level(found):
        word = _upper(found[index])
        if word == "FROM" and not source:
            source = _source(found, index + 1)
        elif word == "FOR" and index + 1 < len(found) and _upper(found[index + 1]) in _LOCKING:
            locking = _locking(found[index:])
            break
    if _upper(found[0]) == "TABLE":
        source = _name(found, 1)
    if not source and len(found) > 1 and _upper(found[1]) == "EXISTS":
        source = _source(found[1:], 1)
    elif not source and len(found) > 2 and found[2].text in ("(", "."):
        source = _name(found, 1)  # a function call: SELECT pg_notify(...)
    return _join(verb, source, locking)


_LOCKING = frozenset({"UPDATE", "SHARE", "NO", "KEY"})
_LOCKING_WORDS = frozenset(["FOR", "UPDATE", "SHARE", "NO", "KEY", "NOWAIT", "SKIP", "LOCKED"])


def _locking(found: Sequence[Token]) -> str:
    return " ".join(_upper(token) for token in found if _upper(token) in _LOCKING_WORDS)


def _source(found: Sequence[Token], at: int) -> str:
    """The first table of a FROM list, looked for inside a subquery too."""
    if at < len(found) and found[at].text == "(":
        inner = [index for index in range(at, len(found)) if _upper(found[index]) == "FROM"]
        return _source(found, inner[0] + 1) if inner else ""
    return _name(found, at)


def _with(found: Sequence[Token]) -> str:
    """The statement after the common table expressions; one that only reads such an expression takes its kind."""
    bodies: dict[str, Sequence[Token]] = {}
    main = len(found)
    for index in _top_level(found):
        word = _upper(found[index])
        if index and word in _MAIN_VERBS:
            main = index
            break
        if word == "AS" and index:
            bodies[_cte_name(found, index)] = _body(found, index)
    kind = _kind(found[main:])
    verb, _, table = kind.partition(" ")
    name, _, _ = table.partition(" ")
    if verb == "SELECT" and name in bodies and bodies[name]:
        return _kind(bodies[name])
    return kind


def _cte_name(found: Sequence[Token], as_at: int) -> str:
    at = as_at - 1
    if found[at].text == ")":
        while at and found[at].text != "(":
            at -= 1
        at -= 1
    return _name(found, max(at, 1))


def _body(found: Sequence[Token], as_at: int) -> Sequence[Token]:
    at = as_at
    while at < len(found) and found[at].text != "(":
        at += 1
    depth = 0
    for index in range(at, len(found)):
        depth += {"(": 1, ")": -1}.get(found[index].text, 0)
        if depth == 0:
            return found[at + 1 : index]
    return ()


def _definition(verb: str, found: Sequence[Token]) -> str:
    at = 1
    while at < len(found) and _upper(found[at]) in _NOISE - {"TABLE", "MATERIALIZED"}:
        at += 1
    if at >= len(found):
        return verb
    what = _upper(found[at])
    if what == "MATERIALIZED":
        at, what = at + 1, "MATERIALIZED VIEW"
    return _join(verb, what, _name(found, at + 1))


def _transactional(verb: str, found: Sequence[Token]) -> str:
    words = {_upper(token) for token in found[1:]}
    if verb == "RELEASE":
        return "RELEASE SAVEPOINT"
    if verb == "ROLLBACK" and "TO" in words:
        return "ROLLBACK TO SAVEPOINT"
    if "PREPARED" in words or ("TRANSACTION" in words and verb == "PREPARE"):
        return _join(verb, "PREPARED" if verb == "ROLLBACK" else "TRANSACTION")
    return verb
