"""The only reader of Django settings and of the environment: everything else gets a `Config`."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from telemetry.errors import ConfigurationError

LATENCY_BUCKETS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 50.0, 75.0,
)  # fmt: skip
"""django-prometheus's default `PROMETHEUS_LATENCY_BUCKETS`, in seconds."""

BEFORE = "telemetry.middleware.PrometheusBeforeMiddleware"
AFTER = "telemetry.middleware.PrometheusAfterMiddleware"


@dataclass(frozen=True, slots=True)
class Config:
    """What the host decided, checked. Lengths of time are in seconds."""

    identity: tuple[str, ...]
    """What tells this service's store from another's on the same machine."""
    store_dir: Path | None = None
    private_store: bool = False
    latency_buckets: tuple[float, ...] = LATENCY_BUCKETS
    count_scrapes: bool = True
    series_limit: int = 2000
    label_budgets: Mapping[str, int] = field(default_factory=dict)
    observable_scopes: Mapping[str, str] = field(default_factory=dict)
    excluded_urls: str | None = None
    sdk_disabled: bool = False
    disabled_instrumentations: frozenset[str] = frozenset()


def load(environ: Mapping[str, str] = os.environ) -> Config:
    """Read settings and environment.

    Raises:
        ConfigurationError: a setting has a wrong type or value; the message names it.
    """
    directory = getattr(settings, "TELEMETRY_STORE_DIR", None) or environ.get("TELEMETRY_STORE_DIR")
    if directory is not None and not isinstance(directory, (str, os.PathLike)):
        raise ConfigurationError(f"TELEMETRY_STORE_DIR: {directory!r} is not a path; give a str or a pathlib.Path")
    return Config(
        identity=_identity(environ),
        store_dir=Path(directory) if directory else None,
        private_store=directory is None and under_tests(),
        latency_buckets=_buckets("PROMETHEUS_LATENCY_BUCKETS", LATENCY_BUCKETS),
        count_scrapes=_boolean("TELEMETRY_COUNT_SCRAPES", default=True),
        series_limit=_positive("TELEMETRY_SERIES_LIMIT", 2000),
        label_budgets=_label_budgets(),
        observable_scopes=_observable_scopes(),
        excluded_urls=environ.get("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", environ.get("OTEL_PYTHON_EXCLUDED_URLS")),
        sdk_disabled=environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        disabled_instrumentations=frozenset(
            name.strip() for name in environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",") if name.strip()
        ),
    )


def under_tests() -> bool:
    """Whether this process is a test run: its numbers must not reach a running service's store."""
    return ("PYTEST_VERSION" in os.environ and "pytest" in sys.modules) or sys.argv[1:2] == ["test"]


def get_middleware() -> list[str]:
    """A copy of `settings.MIDDLEWARE`."""
    return list(settings.MIDDLEWARE)


def set_middleware(middleware: Sequence[str]) -> None:
    """Assign a new list to `settings.MIDDLEWARE`: the old one may be shared with a settings override."""
    settings.MIDDLEWARE = list(middleware)


def _identity(environ: Mapping[str, str]) -> tuple[str, ...]:
    attributes = dict(
        pair.split("=", 1) for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",") if "=" in pair
    )
    return (
        str(environ.get("DJANGO_SETTINGS_MODULE", "")),
        str(getattr(settings, "BASE_DIR", "")),
        environ.get("OTEL_SERVICE_NAME", attributes.get("service.name", "")).strip(),
        attributes.get("service.instance.id", "").strip(),
    )


def _buckets(name: str, default: tuple[float, ...]) -> tuple[float, ...]:
    given = getattr(settings, name, default)
    try:
        edges = tuple(float(edge) for edge in given)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name}: {given!r} is not a sequence of numbers (seconds)") from None
    if edges and edges[-1] == float("inf"):
        edges = edges[:-1]
    if not edges or not all(map(math.isfinite, edges)) or list(edges) != sorted(set(edges)):
        raise ConfigurationError(f"{name}: {given!r} must hold at least one finite number (seconds), rising strictly")
    return edges


def _boolean(name: str, *, default: bool) -> bool:
    given = getattr(settings, name, default)
    if not isinstance(given, bool):
        raise ConfigurationError(f"{name}: {given!r} is not a boolean; give True or False")
    return given


def _positive(name: str, default: int) -> int:
    given = getattr(settings, name, default)
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ConfigurationError(f"{name}: {given!r} is not a whole number of at least 1")
    return given


def _label_budgets() -> dict[str, int]:
    given = getattr(settings, "TELEMETRY_LABEL_BUDGETS", {})
    if not isinstance(given, Mapping) or not all(
        isinstance(label, str) and isinstance(budget, int) and budget >= 1 for label, budget in given.items()
    ):
        raise ConfigurationError(
            f"TELEMETRY_LABEL_BUDGETS: {given!r} is not a dict of label names to whole numbers of at least 1"
        )
    return dict(given)


def _observable_scopes() -> dict[str, str]:
    given = getattr(settings, "TELEMETRY_OBSERVABLE_SCOPES", {})
    if not isinstance(given, Mapping) or not all(scope in ("service", "process") for scope in given.values()):
        raise ConfigurationError(
            f"TELEMETRY_OBSERVABLE_SCOPES: {given!r} is not a dict of instrument names to 'service' or 'process'"
        )
    return dict(given)
