"""The only reader of Django settings and of the environment: everything else gets a `Config`."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from django.conf import global_settings, settings

from telemetry.catalogue.buckets import LATENCY
from telemetry.errors import ConfigurationError

BEFORE = "telemetry.middleware.PrometheusBeforeMiddleware"
AFTER = "telemetry.middleware.PrometheusAfterMiddleware"

Network = IPv4Network | IPv6Network

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token of RFC 6750, section 2.1
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Config:
    """What the host decided, checked. Lengths of time are in seconds."""

    identity: tuple[str, ...]
    """What tells this service's store from another's on the same machine."""
    store_dir: Path | None = None
    private_store: bool = False
    latency_buckets: tuple[float, ...] = LATENCY
    count_scrapes: bool = True
    short_names: bool = False
    """Whether the page has the families of `catalogue/short_names.py` too."""
    series_limit: int = 2000
    label_budgets: Mapping[str, int] = field(default_factory=dict)
    observable_scopes: Mapping[str, str] = field(default_factory=dict)
    excluded_urls: str | None = None
    sdk_disabled: bool = False
    disabled_instrumentations: frozenset[str] = frozenset()
    metrics_token: str = field(default="", repr=False)
    """What a scraper must know; empty: nothing."""
    metrics_networks: tuple[Network, ...] = ()
    """Where a scraper must be; empty: anywhere."""
    metrics_proxy_header: str = ""
    """The header in which a proxy names its clients, who must be in the networks too; empty: none is looked at."""


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
        private_store=not directory and under_tests(),
        latency_buckets=_buckets("PROMETHEUS_LATENCY_BUCKETS", LATENCY),
        count_scrapes=_boolean("TELEMETRY_COUNT_SCRAPES", default=True),
        short_names=_boolean("TELEMETRY_SHORT_NAMES", default=False),
        series_limit=_positive("TELEMETRY_SERIES_LIMIT", 2000),
        label_budgets=_label_budgets(),
        observable_scopes=_observable_scopes(),
        excluded_urls=environ.get("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", environ.get("OTEL_PYTHON_EXCLUDED_URLS")),
        sdk_disabled=environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        disabled_instrumentations=frozenset(
            name.strip() for name in environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",") if name.strip()
        ),
        metrics_token=_token(),
        metrics_networks=_networks(),
        metrics_proxy_header=_proxy_header(),
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


def root_urlconf() -> str | None:
    """`settings.ROOT_URLCONF`; None in a project without URLs."""
    return getattr(settings, "ROOT_URLCONF", None)


def multiproc_dir(environ: Mapping[str, str] = os.environ) -> str | None:
    """Where `prometheus_client` keeps files for its own multi-process mode; None where that is off."""
    return environ.get("PROMETHEUS_MULTIPROC_DIR", environ.get("prometheus_multiproc_dir"))


def emptied_by_instrumentation() -> bool:
    """Whether `opentelemetry-instrument` has configured Django with empty settings.

    It does where `DJANGO_SETTINGS_MODULE` is not set before Python starts; the module that `manage.py` or
    `wsgi.py` names is never read then.
    """
    by_hand = settings.configured and getattr(settings, "default_settings", None) is global_settings
    return by_hand and "opentelemetry.instrumentation.auto_instrumentation" in sys.modules


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


def _token() -> str:
    given = getattr(settings, "TELEMETRY_METRICS_TOKEN", None) or ""
    if not isinstance(given, str) or (given and not _TOKEN.fullmatch(given)):
        # Not quoted: it is a secret.
        raise ConfigurationError(
            f"TELEMETRY_METRICS_TOKEN: the {type(given).__name__} given cannot be sent as a bearer token; "
            "give a str of ASCII letters, digits and -._~+/ (`=` at the end only)"
        )
    return given


def _networks() -> tuple[Network, ...]:
    name = "TELEMETRY_METRICS_ALLOWED_NETWORKS"
    given = getattr(settings, name, None) or ()
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigurationError(f'{name}: {given!r} is not a list of networks; give e.g. ["10.0.0.0/8", "::1"]')
    networks = []
    for network in given:
        try:
            if not isinstance(network, str):
                raise ValueError("it is not a str")
            networks.append(ip_network(network))
        except ValueError as error:
            raise ConfigurationError(
                f'{name}: {network!r} is not a network: {error}; valid is an address or CIDR like "10.0.0.0/8"'
            ) from None
    return tuple(networks)


def _proxy_header() -> str:
    name = "TELEMETRY_METRICS_PROXY_HEADER"
    given = getattr(settings, name, None) or ""
    if not isinstance(given, str) or (given and not _HEADER_NAME.fullmatch(given)):
        raise ConfigurationError(f'{name}: {given!r} is not the name of a header; give e.g. "X-Forwarded-For"')
    if given and not getattr(settings, "TELEMETRY_METRICS_ALLOWED_NETWORKS", None):
        raise ConfigurationError(f"{name}: it says nothing without TELEMETRY_METRICS_ALLOWED_NETWORKS; set that too")
    return given
