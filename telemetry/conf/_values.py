"""Single settings, read and checked: each function refuses what is not valid and names it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import iscoroutinefunction
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from telemetry.errors import ConfigurationError

Network = IPv4Network | IPv6Network

_NAMESPACE = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token of RFC 6750, section 2.1
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


def buckets(name: str, default: tuple[float, ...]) -> tuple[float, ...]:
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


def boolean(name: str, *, default: bool) -> bool:
    given = getattr(settings, name, default)
    if not isinstance(given, bool):
        raise ConfigurationError(f"{name}: {given!r} is not a boolean; give True or False")
    return given


def positive(name: str, default: int) -> int:
    given = getattr(settings, name, default)
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ConfigurationError(f"{name}: {given!r} is not a whole number of at least 1")
    return given


def flag(name: str) -> bool:
    """A setting of django-prometheus that is on if it is true in Python's sense, as there."""
    return bool(getattr(settings, name, False))


def namespace() -> str:
    """What is put before the names of the `django_*` families; empty for nothing."""
    name = "PROMETHEUS_METRIC_NAMESPACE"
    given = getattr(settings, name, "") or ""
    if not isinstance(given, str) or (given and not _NAMESPACE.fullmatch(given)):
        raise ConfigurationError(f"{name}: {given!r} cannot begin a metric's name; valid is [a-zA-Z_:][a-zA-Z0-9_:]*")
    return given


def port(name: str) -> int | None:
    """A TCP port, as a number or as the text of an environment variable; None where nothing is set."""
    given = getattr(settings, name, None)
    return None if given in (None, "") else _port(name, given)


def ports(name: str) -> tuple[int, ...]:
    """TCP ports in the order of the setting, which may be any iterable of them."""
    given = getattr(settings, name, None) or ()
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{name}: {given!r} is not a sequence of ports; give e.g. range(8001, 8011)")
    return tuple(_port(name, each) for each in given)


def address(name: str) -> str:
    """The address to listen on; empty for all of this machine's."""
    given = getattr(settings, name, "") or ""
    if not isinstance(given, str):
        raise ConfigurationError(f'{name}: {given!r} is not an address; give a str, e.g. "127.0.0.1"')
    return given


def names(name: str, example: str) -> tuple[str, ...]:
    """A list of non-empty names."""
    given = getattr(settings, name, ())
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{name}: {given!r} is not a list of names; give e.g. [{example!r}]")
    found = tuple(given)
    for each in found:
        if not isinstance(each, str) or not each:
            raise ConfigurationError(f"{name}: {each!r} is not a name; give e.g. [{example!r}]")
    return found


def patterns(name: str, example: str) -> tuple[re.Pattern[str], ...]:
    """Regular expressions, given as texts; none may be found in an empty text, for it would be found in any."""
    found = []
    for each in names(name, example):
        try:
            pattern = re.compile(each)
        except re.error as error:
            raise ConfigurationError(f"{name}: {each!r} is not a regular expression: {error}") from None
        if pattern.search(""):
            raise ConfigurationError(f"{name}: {each!r} is found in every text; give e.g. [{example!r}]")
        found.append(pattern)
    return tuple(found)


def choice(name: str, valid: tuple[str, ...]) -> str:
    """One of several words, the first where nothing is set."""
    given = getattr(settings, name, valid[0])
    if given not in valid:
        raise ConfigurationError(f"{name}: {given!r} is not valid; give one of {', '.join(map(repr, valid))}")
    return str(given)


def hook(name: str, example: str) -> Callable[..., Any] | None:
    """A function, or the dotted path of one; None where nothing is set."""
    given = getattr(settings, name, None)
    if given in (None, ""):
        return None
    found = given
    if isinstance(given, str):
        try:
            found = import_string(given)
        except ImportError as error:
            raise ConfigurationError(f"{name}: {given!r} cannot be imported: {error}") from error
    if not callable(found) or iscoroutinefunction(found):
        raise ConfigurationError(f"{name}: {given!r} is not a function that is called {example}, nor the path of one")
    return found  # type: ignore[no-any-return]


def sqlcommenter() -> dict[str, bool] | None:
    """Options of the comments on queries; None where there are to be none."""
    name = "TELEMETRY_SQLCOMMENTER"
    given = getattr(settings, name, False)
    if isinstance(given, bool):
        return {} if given else None
    if not isinstance(given, Mapping) or not all(
        isinstance(key, str) and isinstance(value, bool) for key, value in given.items()
    ):
        raise ConfigurationError(
            f"{name}: {given!r} is not valid; give True, False, or a dict of the comment's parts to booleans, "
            'e.g. {"db_driver": False}'
        )
    return dict(given)


def label_budgets() -> dict[str, int]:
    given = getattr(settings, "TELEMETRY_LABEL_BUDGETS", {})
    if not isinstance(given, Mapping) or not all(
        isinstance(label, str) and isinstance(budget, int) and budget >= 1 for label, budget in given.items()
    ):
        raise ConfigurationError(
            f"TELEMETRY_LABEL_BUDGETS: {given!r} is not a dict of label names to whole numbers of at least 1"
        )
    return dict(given)


def observable_scopes() -> dict[str, str]:
    given = getattr(settings, "TELEMETRY_OBSERVABLE_SCOPES", {})
    if not isinstance(given, Mapping) or not all(scope in ("service", "process") for scope in given.values()):
        raise ConfigurationError(
            f"TELEMETRY_OBSERVABLE_SCOPES: {given!r} is not a dict of instrument names to 'service' or 'process'"
        )
    return dict(given)


def token() -> str:
    given = getattr(settings, "TELEMETRY_METRICS_TOKEN", None) or ""
    if not isinstance(given, str) or (given and not _TOKEN.fullmatch(given)):
        # Not quoted: it is a secret.
        raise ConfigurationError(
            f"TELEMETRY_METRICS_TOKEN: the {type(given).__name__} given cannot be sent as a bearer token; "
            "give a str of ASCII letters, digits and -._~+/ (`=` at the end only)"
        )
    return given


def networks() -> tuple[Network, ...]:
    name = "TELEMETRY_METRICS_ALLOWED_NETWORKS"
    given = getattr(settings, name, None) or ()
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigurationError(f'{name}: {given!r} is not a list of networks; give e.g. ["10.0.0.0/8", "::1"]')
    found = []
    for network in given:
        try:
            if not isinstance(network, str):
                raise ValueError("it is not a str")
            found.append(ip_network(network))
        except ValueError as error:
            raise ConfigurationError(
                f'{name}: {network!r} is not a network: {error}; valid is an address or CIDR like "10.0.0.0/8"'
            ) from None
    return tuple(found)


def proxy_header() -> str:
    name = "TELEMETRY_METRICS_PROXY_HEADER"
    given = getattr(settings, name, None) or ""
    if not isinstance(given, str) or (given and not _HEADER_NAME.fullmatch(given)):
        raise ConfigurationError(f'{name}: {given!r} is not the name of a header; give e.g. "X-Forwarded-For"')
    if given and not getattr(settings, "TELEMETRY_METRICS_ALLOWED_NETWORKS", None):
        raise ConfigurationError(f"{name}: it says nothing without TELEMETRY_METRICS_ALLOWED_NETWORKS; set that too")
    return given


def _port(name: str, given: object) -> int:
    text = str(given)
    if not isinstance(given, bool) and text.isascii() and text.isdigit() and 0 < int(text) < 65_536:
        return int(text)
    raise ConfigurationError(f"{name}: {given!r} is not a port; give a whole number from 1 to 65535")
