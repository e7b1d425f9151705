from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class PausingConfig(AppConfig):
    """With `PAUSE_AFTER` (a part of an SQL statement) set, stands still after the first such statement.

    It writes the file `PAUSE_MARK` then, so that the test knows, with its pid in it.
    """

    name = "upstream.tests.pausing"

    def ready(self) -> None:
        if os.environ.get("PAUSE_AFTER"):
            connection_created.connect(_watch, weak=False)


def _watch(connection: Any, **kwargs: Any) -> None:
    if _pause not in connection.execute_wrappers:
        connection.execute_wrappers.append(_pause)


def _pause(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    result = execute(sql, params, many, context)
    mark = Path(os.environ["PAUSE_MARK"])
    if os.environ["PAUSE_AFTER"] in sql and not mark.exists():
        mark.write_text(str(os.getpid()))
        time.sleep(60)
    return result
