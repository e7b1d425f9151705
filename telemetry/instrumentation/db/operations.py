"""The operation of a statement: its first keyword, from a closed set."""

from __future__ import annotations

import re
from typing import Any

_WORDS = """
    SELECT INSERT UPDATE DELETE MERGE REPLACE WITH VALUES TABLE CALL DO EXECUTE PREPARE DEALLOCATE EXPLAIN
    BEGIN START COMMIT END ROLLBACK SAVEPOINT RELEASE LOCK SET RESET SHOW DISCARD USE PRAGMA
    CREATE ALTER DROP TRUNCATE RENAME COMMENT GRANT REVOKE ANALYZE VACUUM REINDEX CLUSTER REFRESH OPTIMIZE
    DECLARE FETCH MOVE CLOSE COPY LISTEN UNLISTEN NOTIFY ATTACH DETACH DESCRIBE FLUSH
"""
OPERATIONS = frozenset(_WORDS.split())
"""The values of `db_operation_name`; any other first word is `_OTHER`."""

FREQUENT = {f"{name}{gap}": name for name in ("SELECT", "INSERT", "UPDATE", "DELETE") for gap in " \n"}
"""The first seven characters of most statements, and their operation."""

# Atomic groups: a statement that begins with many comments costs no backtracking.
_FIRST_WORD = re.compile(r"(?>(?:\s+|--[^\n]*|#[^\n]*|/\*(?>.*?\*/)|\()*)([A-Za-z]+)", re.DOTALL)


def operation(sql: object, cursor: object = None) -> str:
    """The first keyword of a statement in capitals, after comments and parentheses; from a closed set.

    `cursor` is the driver's, needed where the statement is a composed one (`psycopg.sql`).
    """
    text = sql if isinstance(sql, str) else _text(sql, cursor)
    found = FREQUENT.get(text[:7])
    if found is not None:
        return found
    match = _FIRST_WORD.match(text)
    word = match[1].upper() if match else ""
    return word if word in OPERATIONS else "_OTHER"


def _text(sql: Any, cursor: object) -> str:
    if isinstance(sql, bytes):
        return sql.decode("latin-1")
    as_string = getattr(sql, "as_string", None)
    return str(sql if as_string is None else as_string(cursor))
