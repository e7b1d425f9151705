"""Settings from the environment; a bad one stops the start and names the variable."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

FORMS = (
    "postgres://USER:PASSWORD@HOST:PORT/NAME (special characters percent-encoded; ?pool=true for a pool), "
    "sqlite:///relative/path, sqlite:////absolute/path or sqlite://:memory:"
)
SQLITE_OPTIONS = {
    # Without IMMEDIATE a transaction that reads first fails at once, not after `timeout`, when another writes.
    "transaction_mode": "IMMEDIATE",
    # SQLite has one writer, and the ingestion of a large file is one transaction: others wait for its end.
    "timeout": 120,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
_SCHEMES = ("postgres", "postgresql", "pgsql", "sqlite")
_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")
_PASSWORD = re.compile(r"^((?:[^:/]*://)?[^:/@]*):.*@")


def required(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The variable's value.

    Raises:
        ImproperlyConfigured: it is not set or empty.
    """
    value = environ.get(name, "").strip()
    if not value:
        raise ImproperlyConfigured(f"{name}: the environment variable is not set; production needs it")
    return value


def words(name: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The variable's comma-separated words; none when it is not set."""
    return [word.strip() for word in environ.get(name, "").split(",") if word.strip()]


def boolean(name: str, default: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the variable says yes (1, true, yes, on) or no (0, false, no, off).

    Raises:
        ImproperlyConfigured: it says something else.
    """
    given = environ.get(name, "").strip().lower()
    if not given:
        return default
    if given in ("1", "true", "yes", "on"):
        return True
    if given in ("0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name}: {given!r} is neither yes (1, true, yes, on) nor no (0, false, no, off)")


def integer(name: str, default: int, environ: Mapping[str, str] = os.environ) -> int:
    """The variable as a whole number of at least 0.

    Raises:
        ImproperlyConfigured: it is not one.
    """
    given = environ.get(name, "").strip()
    if not given:
        return default
    if not given.isascii() or not given.isdigit():
        raise ImproperlyConfigured(f"{name}: {given!r} is not a whole number of at least 0")
    return int(given)


def number(name: str, default: float, environ: Mapping[str, str] = os.environ) -> float:
    """The variable as a number above 0.

    Raises:
        ImproperlyConfigured: it is not one.
    """
    given = environ.get(name, "").strip()
    if not given:
        return default
    try:
        value = float(given)
    except ValueError:
        value = 0
    if not 0 < value < math.inf:
        raise ImproperlyConfigured(f"{name}: {given!r} is not a number above 0")
    return value


def rate(name: str, default: str, environ: Mapping[str, str] = os.environ) -> str:
    """The variable as so many calls in a time, such as 60/minute.

    Raises:
        ImproperlyConfigured: it is not that.
    """
    given = environ.get(name, "").strip() or default
    if not _RATE.fullmatch(given):
        raise ImproperlyConfigured(f"{name}: {given!r} is not a rate such as 60/minute (second, minute, hour or day)")
    return given


def text(name: str, default: str, environ: Mapping[str, str] = os.environ) -> str:
    """The variable's value, or the default where it is not set or empty."""
    return environ.get(name, "").strip() or default


def directory(name: str, default: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The variable as an absolute path.

    Raises:
        ImproperlyConfigured: it is relative.
    """
    path = Path(environ.get(name, "").strip() or default)
    if not path.is_absolute():
        raise ImproperlyConfigured(f"{name}: {str(path)!r} is not an absolute path")
    return path


def broker_options(url: str, folder: Path) -> dict[str, Any]:
    """What Celery's transport for `url` needs; the embedded one keeps its messages below `folder`."""
    if not url.startswith("filesystem:"):
        return {}
    queue, control = folder / "queue", folder / "control"
    for each in (queue, control):
        each.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "control_folder": str(control),
        "polling_interval": 0.2,
    }


def database(default_path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Django's database settings from `DATABASE_URL`; SQLite at `default_path` where it is not set.

    Raises:
        ImproperlyConfigured: the URL cannot be parsed or is of an unsupported kind.
    """
    url = environ.get("DATABASE_URL", "").strip()
    if not url:
        default_path.parent.mkdir(parents=True, exist_ok=True)
        return _sqlite({"ENGINE": "django.db.backends.sqlite3", "NAME": str(default_path)})
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise _bad_url(url, f"it does not begin with one of {', '.join(f'{known}://' for known in _SCHEMES)}")
    try:
        parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    except ValueError:
        # The cause is left out: it may quote the password.
        raise _bad_url(url, "a part of it is not valid in a URL (is the port a number?)") from None
    if scheme == "sqlite":
        if parsed.get("HOST"):
            raise _bad_url(url, "a path needs three slashes before it")
        return _sqlite(parsed)
    if not parsed.get("NAME"):
        raise _bad_url(url, "it names no database")
    pool = parsed.get("OPTIONS", {}).get("pool", False)
    if not isinstance(pool, bool):
        raise _bad_url(url, f"pool is {pool!r}, which is neither true nor false")
    # What a pool lends it must get back: Django refuses to keep such a connection for longer than a request.
    return {**parsed, "CONN_MAX_AGE": 0 if pool else 60, "CONN_HEALTH_CHECKS": True}


def masked(url: str) -> str:
    """The URL without its password."""
    return _PASSWORD.sub(r"\1:***@", url)


def _sqlite(parsed: dict[str, Any]) -> dict[str, Any]:
    return {**parsed, "OPTIONS": {**parsed.get("OPTIONS", {}), **SQLITE_OPTIONS}}


def _bad_url(url: str, why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"DATABASE_URL: {masked(url)!r} cannot be used: {why}; valid is {FORMS}")
