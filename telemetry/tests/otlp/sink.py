"""An OTLP receiver for tests, over gRPC or HTTP/protobuf, that keeps what it acknowledged and misbehaves on demand.

https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from telemetry.tests.otlp.relay import Path, Relay
from telemetry.tests.otlp.tls import Authority

PROTOCOLS = ("grpc", "http/protobuf")

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """A span as it came in, and whose it is."""

    proto: ProtoSpan
    attributes: Attributes
    resource: Attributes

    @property
    def name(self) -> str:
        return self.proto.name

    @property
    def trace_id(self) -> str:
        return self.proto.trace_id.hex()

    @property
    def span_id(self) -> str:
        return self.proto.span_id.hex()

    @property
    def parent_id(self) -> str:
        """Empty for a root."""
        return self.proto.parent_span_id.hex()

    @property
    def is_server(self) -> bool:
        return self.proto.kind == ProtoSpan.SPAN_KIND_SERVER

    @property
    def is_client(self) -> bool:
        return self.proto.kind == ProtoSpan.SPAN_KIND_CLIENT


@dataclass(frozen=True)
class Point:
    """One data point of a metric; `value` is a histogram's count. Times are in Unix nanoseconds."""

    name: str
    unit: str
    type: str
    """sum, gauge, histogram or exponential_histogram"""
    temporality: str
    """cumulative, delta, or empty for a gauge"""
    monotonic: bool
    attributes: Attributes
    resource: Attributes
    scope: str
    value: float
    start: int
    time: int
    proto: Any

    @property
    def series(self) -> tuple[object, ...]:
        """What tells one series from another: resource, scope, metric, attributes."""
        return (
            tuple(sorted(self.resource.items())),
            self.scope,
            self.name,
            self.unit,
            tuple(sorted(self.attributes.items())),
        )


class Sink:
    """A receiver on a port of 127.0.0.1; `environment` has the variables that send an application's data here.

    `unavailable` has it answer 503 (gRPC: UNAVAILABLE) and keep nothing; `delay` seconds pass before each
    answer. `path` below the answers is the relay's: away, hanging, cut. With an `authority` it speaks TLS only,
    and asks for a client's certificate.
    """

    def __init__(self, protocol: str, authority: Authority | None = None) -> None:
        self.protocol = protocol
        self._authority = authority
        self.unavailable = False
        self.delay = 0.0
        self.refused = 0
        """How many exports were answered with 503."""
        self.compressions: set[str] = set()
        self.headers: dict[str, list[dict[str, str]]] = {"traces": [], "metrics": []}
        self._lock = threading.Lock()
        self._spans: list[Span] = []
        self._points: list[Point] = []
        serve = {"grpc": self._serve_grpc, "http/protobuf": self._serve_http}[protocol]
        server_port, self._stop = serve()
        self._relay = Relay(server_port)

    @property
    def endpoint(self) -> str:
        return f"http{'s' if self._authority else ''}://127.0.0.1:{self._relay.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Spans leave every 200 ms, metrics every 500 ms."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_SERVICE_NAME": "sunk",
        }

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._relay.connections

    @property
    def received(self) -> int:
        """How many bytes came in so far, whatever they were."""
        return self._relay.received

    def turn(self, path: Path) -> None:
        """Treat connections this way from now on; those that are open are reset."""
        self._relay.turn(path)

    def close(self) -> None:
        self._relay.close()
        self._stop()

    # What came in.

    @property
    def spans(self) -> list[Span]:
        """Every span that was acknowledged, in the order of arrival."""
        with self._lock:
            return list(self._spans)

    @property
    def points(self) -> list[Point]:
        """Every metric point that was acknowledged, in the order of arrival."""
        with self._lock:
            return list(self._points)

    def servers(self) -> list[Span]:
        """The spans of requests."""
        return [span for span in self.spans if span.is_server]

    def series(self, name: str) -> dict[tuple[object, ...], list[Point]]:
        """The points of one metric by series, in the order of arrival."""
        found: dict[tuple[object, ...], list[Point]] = {}
        for point in self.points:
            if point.name == name:
                found.setdefault(point.series, []).append(point)
        return found

    def total(self, name: str) -> float:
        """What the service has counted: the last points of cumulative series, all points of delta series."""
        points = [point for series in self.series(name).values() for point in _telling(series)]
        return sum(point.value for point in points)

    def wait(self, until: Callable[[], bool], what: str, seconds: float = 20) -> None:
        """Until the condition holds."""
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                names = sorted({point.name for point in self.points})
                raise AssertionError(
                    f"not within {seconds:g} s: {what}; {len(self.spans)} spans and {len(self.points)} points "
                    f"of {names} came in, {self.refused} exports were refused"
                )
            time.sleep(0.02)

    # How.

    def _admit(self) -> bool:
        time.sleep(self.delay)
        if self.unavailable:
            self.refused += 1
            return False
        return True

    def _keep_spans(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        with self._lock:
            for group in request.resource_spans:
                resource = attributes_of(group.resource.attributes)
                for scope in group.scope_spans:
                    self._spans += [Span(span, attributes_of(span.attributes), resource) for span in scope.spans]

    def _keep_metrics(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        with self._lock:
            for group in request.resource_metrics:
                resource = attributes_of(group.resource.attributes)
                for scope in group.scope_metrics:
                    for metric in scope.metrics:
                        self._points += _points(metric, scope.scope.name, resource)

    def _serve_grpc(self) -> tuple[int, Callable[[], None]]:
        sink = self

        def export(signal: str, keep: Callable[[Any], None], answer: type) -> Callable[..., Any]:
            def Export(self: object, request: Any, context: grpc.ServicerContext) -> Any:
                metadata = {key: str(value) for key, value in context.invocation_metadata()}
                sink.headers[signal].append(metadata)
                if not sink._admit():
                    context.abort(grpc.StatusCode.UNAVAILABLE, "as the test wants it")
                keep(request)
                return answer()

            return Export

        traces = type(
            "Traces",
            (trace_service_pb2_grpc.TraceServiceServicer,),
            {"Export": export("traces", self._keep_spans, trace_service_pb2.ExportTraceServiceResponse)},
        )
        metrics = type(
            "Metrics",
            (metrics_service_pb2_grpc.MetricsServiceServicer,),
            {"Export": export("metrics", self._keep_metrics, metrics_service_pb2.ExportMetricsServiceResponse)},
        )
        pool = ThreadPoolExecutor(8)
        server = grpc.server(pool)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(traces(), server)  # type: ignore[no-untyped-call]
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(metrics(), server)  # type: ignore[no-untyped-call]
        anywhere = "127.0.0.1:0"
        if self._authority is None:
            port = server.add_insecure_port(anywhere)
        else:
            port = server.add_secure_port(anywhere, self._authority.credentials())
        server.start()

        def stop() -> None:
            server.stop(None).wait(10)
            pool.shutdown()

        return port, stop

    def _serve_http(self) -> tuple[int, Callable[[], None]]:
        sink = self
        kinds: dict[str, tuple[type, Callable[[Any], None]]] = {
            "/v1/traces": (trace_service_pb2.ExportTraceServiceRequest, self._keep_spans),
            "/v1/metrics": (metrics_service_pb2.ExportMetricsServiceRequest, self._keep_metrics),
        }

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                encoding = self.headers.get("Content-Encoding", "")
                sink.compressions.add(encoding)
                signal = self.path.removeprefix("/v1/")
                sink.headers[signal].append({name.lower(): value for name, value in self.headers.items()})
                if not sink._admit():
                    self._answer(503)
                    return
                request, keep = kinds[self.path]
                keep(request.FromString(gzip.decompress(body) if encoding == "gzip" else body))  # type: ignore[attr-defined]
                self._answer(200)

            def _answer(self, status: int) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *args: object) -> None:
                """A connection that was cut is what the test wants."""

        server = Server(("127.0.0.1", 0), Handler)
        if self._authority is not None:
            # the handshake is the connection's thread's: one that fails must not stop the others
            server.socket = self._authority.context().wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            thread.join()
            server.server_close()

        return server.server_port, stop


def _telling(series: list[Point]) -> list[Point]:
    return series if series[-1].temporality == "delta" else series[-1:]


def _points(metric: Any, scope: str, resource: Attributes) -> Iterator[Point]:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    temporality = {1: "delta", 2: "cumulative"}.get(getattr(data, "aggregation_temporality", 0), "")
    for point in data.data_points:
        if kind in ("sum", "gauge"):
            value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
        else:
            value = point.count
        yield Point(
            name=metric.name,
            unit=metric.unit,
            type=kind,
            temporality=temporality,
            monotonic=getattr(data, "is_monotonic", False),
            attributes=attributes_of(point.attributes),
            resource=resource,
            scope=scope,
            value=float(value),
            start=point.start_time_unix_nano,
            time=point.time_unix_nano,
            proto=point,
        )


def attributes_of(pairs: Any) -> Attributes:
    """Attributes as plain Python values."""
    found: list[KeyValue] = list(pairs)
    return {pair.key: _plain(pair.value) for pair in found}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_plain(item) for item in value.array_value.values)
    return getattr(value, kind) if kind else None


@contextlib.contextmanager
def receiving(protocol: str, authority: Authority | None = None) -> Iterator[Sink]:
    """A sink for the block."""
    sink = Sink(protocol, authority)
    try:
        yield sink
    finally:
        sink.close()


@pytest.fixture(name="sink", params=PROTOCOLS)
def sinks(request: pytest.FixtureRequest) -> Iterator[Sink]:
    """The fixture `sink`, once for each protocol; import `sinks` into the test's module."""
    with receiving(request.param) as made:
        yield made
