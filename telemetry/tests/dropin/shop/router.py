"""The audit trail has a database of its own."""

from __future__ import annotations

from typing import Any


class Router:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "archive" if model._meta.label == "shop.Audit" else None

    db_for_write = db_for_read
