"""SQL texts without their data: every literal becomes `?`, comments go, names and placeholders stay.

The rule is that of `db.query.text` in the semantic conventions
(https://opentelemetry.io/docs/specs/semconv/database/database-spans/#sanitization-of-dbquerytext).
One pass over the text: what is not closed (a string, a comment) reaches to the end, so that a text
that was cut off, or is no SQL, loses more and never less.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 16_384
"""Characters of a statement that are looked at; the rest is left out, so that its length costs nothing."""
_KEPT = 4_096
"""Characters of a statement whose result is kept for the next time; with `_STATEMENTS`, a few MB at most."""
_STATEMENTS = 512

_NAME = (
    r"(?P<name>%\([^\W\d]\w*+\)[a-z]|%[a-z%]|\$[0-9]++|\?[0-9]++"  # placeholders
    r"|[^\W\d][\w$]*+|`[^`]*+`{more})"
    r"|%\([^()]*+\)[a-z]"  # a placeholder by what its name says is data
)
_NUMBER = r"\d(?:[eE][+-]?\d|[\w.])*+"
_ESCAPES = r"(?:[^{quote}\\]|{quote}{quote}|\\.)*+(?:{quote}|\\?\Z)"
_STANDARD = re.compile(
    r"(?P<comment>--[^\n]*+|/\*)"
    + (r"|[eE]'" + _ESCAPES.format(quote="'"))
    + r"|(?:[nNbBxX]|[uU]&)?'[^']*+(?:''[^']*+)*+(?:'|\Z)"
    + r"|\$(?P<tag>(?:[^\W\d]\w*+)?)\$.*?(?:\$(?P=tag)\$|\Z)"
    + ("|" + _NAME.format(more=r'|"[^"]*+(?:""[^"]*+)*+"'))
    + rf'|["`].*|{_NUMBER}',
    re.DOTALL,
)
_MYSQL = re.compile(
    r"(?P<comment>--[^\n]*+|\#[^\n]*+|/\*)"
    + (r"|[nNbBxX]?(?:'" + _ESCAPES.format(quote="'") + '|"' + _ESCAPES.format(quote='"') + ")")
    + ("|" + _NAME.format(more=""))
    + rf"|`.*|{_NUMBER}",
    re.DOTALL,
)
_QUOTES_ARE_NAMES = frozenset({"postgresql", "oracle.db", "microsoft.sql_server", "oracle", "mssql"})
_PLAIN = re.compile(r'"[^\W\d][\w$]*+"').fullmatch
_BRACKETS = re.compile(r"/\*|\*/")


def without_literals(sql: str, system: str = "") -> str:
    """The statement with `?` in the place of strings, numbers and everything else that is data.

    `system` is the value of `db.system.name`: in MySQL and MariaDB double quotes are strings and
    backslashes escape, in PostgreSQL comments nest. Double-quoted words are names anywhere else; in SQLite
    they are strings where no column has the name, so there, and where the system is not known, only what looks
    like a name stays.
    """
    return _seen(sql, system) if len(sql) <= _KEPT else sanitize(sql, system)


def sanitize(sql: str, system: str = "") -> str:
    """The same, and not kept for the next time."""
    text = sql[:LONGEST]
    pattern = _MYSQL if system in ("mysql", "mariadb") else _STANDARD
    lenient = system in _QUOTES_ARE_NAMES
    parts: list[str] = []
    at = 0
    while found := pattern.search(text, at):
        parts.append(text[at : found.start()])
        at = found.end()
        kind = found.lastgroup
        if kind == "comment":
            if found.group() == "/*":
                at = _end_of_comment(text, at, nesting=system == "postgresql")
            parts.append(" ")
        else:
            word = found.group()
            parts.append(word if kind == "name" and (lenient or word[0] != '"' or _PLAIN(word)) else "?")
    parts.append(text[at:])
    if len(sql) > LONGEST:
        parts.append(" ...")
    return "".join(parts).strip()


_seen = lru_cache(_STATEMENTS)(sanitize)


def _end_of_comment(text: str, at: int, *, nesting: bool) -> int:
    depth = 1
    for bracket in _BRACKETS.finditer(text, at):
        if bracket.group() == "*/":
            depth -= 1
            if not depth:
                return bracket.end()
        elif nesting:
            depth += 1
    return len(text)
