"""Which exporters the standard OTEL_* variables ask for; nearly everything else of them the exporters read themselves.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#exporter-selection
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED

from telemetry.errors import ConfigurationError
from telemetry.sdk._private import prepare_grpc

_OTLP_PACKAGES = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
}
_GRPC_COMPRESSIONS = {"none": "NoCompression", "gzip": "Gzip"}


class Signal(StrEnum):
    """What is exported; the value is its word in the names of variables."""

    TRACES = "TRACES"
    METRICS = "METRICS"


_WORDS = {Signal.TRACES: ("otlp", "console", "none"), Signal.METRICS: ("otlp", "console", "none", "prometheus")}
_CLASSES = {
    Signal.TRACES: ("trace_exporter", "OTLPSpanExporter"),
    Signal.METRICS: ("metric_exporter", "OTLPMetricExporter"),
}
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


def otlp_exporter(signal: Signal, environ: Mapping[str, str], **options: Any) -> Callable[[], Any]:
    """What makes an exporter of the protocol that is asked for, with these options; gRPC by default, as in the SDK.

    What it needs is imported when it is called: gRPC is large.

    Raises:
        ConfigurationError: the protocol or gRPC's compression is not valid, or a package is not installed.
    """
    variable = _variable(signal, "PROTOCOL", environ)
    protocol = environ.get(variable, "").strip() or "grpc"
    package = _OTLP_PACKAGES.get(protocol)
    if package is None:
        raise ConfigurationError(f"{variable}: {protocol!r} is not valid; give {' or '.join(_OTLP_PACKAGES)}")
    if not _installed(package):
        raise ConfigurationError(
            f"{variable}: {_THINGS[signal]} are to go out by {protocol}, but {package} is not installed; "
            "install the extra 'otlp'"
        )
    compression = ""
    if protocol == "grpc":
        prepare_grpc()
        compression = _grpc_compression(signal, environ)

    def make() -> Any:
        if compression:
            options["compression"] = import_module("grpc").Compression[compression]
        module, name = _CLASSES[signal]
        return getattr(import_module(f"{package}.{module}"), name)(**options)

    return make


def _grpc_compression(signal: Signal, environ: Mapping[str, str]) -> str:
    """Its name in `grpc.Compression`: the exporter itself would refuse `none`, which the specification has."""
    variable = _variable(signal, "COMPRESSION", environ)
    given = environ.get(variable, "").strip().lower() or "none"
    if given not in _GRPC_COMPRESSIONS:
        raise ConfigurationError(f"{variable}: {given!r} is not valid; give {' or '.join(_GRPC_COMPRESSIONS)}")
    return _GRPC_COMPRESSIONS[given]


def _variable(signal: Signal, what: str, environ: Mapping[str, str]) -> str:
    """The variable of this signal where it is set, else that of all."""
    own = f"OTEL_EXPORTER_OTLP_{signal}_{what}"
    return own if environ.get(own, "").strip() else f"OTEL_EXPORTER_OTLP_{what}"


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False
