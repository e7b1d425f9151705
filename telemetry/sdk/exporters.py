"""Which exporters the standard OTEL_* variables ask for; everything else of them the exporters read themselves.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#exporter-selection
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED

from telemetry.errors import ConfigurationError

_OTLP_PACKAGES = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
}


class Signal(StrEnum):
    """What is exported; the value is its word in the names of variables."""

    TRACES = "TRACES"
    METRICS = "METRICS"


_WORDS = {Signal.TRACES: ("otlp", "console", "none"), Signal.METRICS: ("otlp", "console", "none", "prometheus")}
_THINGS = {Signal.TRACES: "spans", Signal.METRICS: "metrics"}


def wanted(signal: Signal, environ: Mapping[str, str]) -> list[str]:
    """`otlp`, `console`, both or none of them, as OTEL_*_EXPORTER says or, without it, an OTLP endpoint.

    `prometheus` among metrics exporters asks for nothing: the page is there anyway, and a port in every
    process would be taken by the first.

    Raises:
        ConfigurationError: a name in the variable is not valid.
    """
    if environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return []
    variable = f"OTEL_{signal}_EXPORTER"
    given = environ.get(variable, "").strip()
    if not given:
        endpoint = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        return ["otlp"] if endpoint and endpoint.strip() else []
    names = [name.strip().lower() for name in given.split(",") if name.strip()]
    words = _WORDS[signal]
    for name in names:
        if name not in words:
            raise ConfigurationError(f"{variable}: {name!r} is not valid; give {', '.join(words[:-1])} or {words[-1]}")
    return [] if "none" in names else [name for name in dict.fromkeys(names) if name != "prometheus"]


def otlp_package(signal: Signal, environ: Mapping[str, str]) -> str:
    """The installed package whose exporters speak the protocol that is asked for; gRPC by default, as in the SDK.

    Raises:
        ConfigurationError: the protocol is not valid, or its package is not installed.
    """
    variable = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
    if not environ.get(variable, "").strip():
        variable = "OTEL_EXPORTER_OTLP_PROTOCOL"
    protocol = environ.get(variable, "").strip() or "grpc"
    package = _OTLP_PACKAGES.get(protocol)
    if package is None:
        raise ConfigurationError(f"{variable}: {protocol!r} is not valid; give {' or '.join(_OTLP_PACKAGES)}")
    if not _installed(package):
        raise ConfigurationError(
            f"{variable}: {_THINGS[signal]} are to go out by {protocol}, but {package} is not installed; "
            "install the extra 'otlp'"
        )
    return package


def load(package: str, module: str, name: str) -> Any:
    """A class of an OTLP package, imported when it is needed: gRPC is large."""
    return getattr(import_module(f"{package}.{module}"), name)


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False
