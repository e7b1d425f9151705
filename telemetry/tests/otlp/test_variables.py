"""Each standard variable has its effect on what a receiver gets, from a whole application.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.catalogue.export import FAILED, LOST
from telemetry.tests.otlp.application import serve
from telemetry.tests.otlp.sink import PROTOCOLS, Sink, receiving, sinks  # noqa: F401 - a fixture
from telemetry.tests.otlp.tls import Authority

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
only_http = pytest.mark.parametrize("sink", ["http/protobuf"], indirect=True)

DURATION = "http.server.request.duration"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def caller(sampled: bool) -> dict[str, str]:
    """The header of a caller who has a trace."""
    return {"traceparent": f"00-{TRACE}-{PARENT}-0{int(sampled)}"}


def arrived(sink: Sink) -> tuple[bool, bool]:
    """Whether the request's span came in, and whether its duration did."""
    return bool(sink.servers()), bool(sink.series(DURATION))


class TestService:
    def test_its_name_and_attributes_are_on_all_that_leaves(self, tmp_path: Path, sink: Sink) -> None:
        resource = "service.name=not this,deployment.environment.name=test%20bed,service.namespace=shops"
        serve(tmp_path, {**sink.environment, "OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": resource})
        names = ("service.name", "deployment.environment.name", "service.namespace")
        resources = [span.resource for span in sink.spans] + [point.resource for point in sink.points]
        told = {tuple(each.get(name) for name in names) for each in resources}
        assert {("shop", "test bed", "shops")} == told
        assert (True, True) == arrived(sink)

    @only_http
    def test_a_disabled_sdk_sends_nothing(self, tmp_path: Path, sink: Sink) -> None:
        serve(tmp_path, {**sink.environment, "OTEL_SDK_DISABLED": "true"})
        assert ([], [], 0) == (sink.spans, sink.points, sink.connections)


class TestExporters:
    def test_headers(self, tmp_path: Path, sink: Sink) -> None:
        common = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,x-tenant=7"}
        serve(tmp_path, {**sink.environment, **common, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-tenant=8"})
        told = {
            signal: {(headers.get("authorization"), headers.get("x-tenant")) for headers in asked}
            for signal, asked in sink.headers.items()
        }
        assert {"traces": {(None, "8")}, "metrics": {("Bearer x", "7")}} == told

    def test_compression(self, tmp_path: Path, sink: Sink) -> None:
        sizes = []
        for number, compression in enumerate(("none", "gzip")):
            before, directory = sink.received, tmp_path / f"{number}"
            serve(directory, {**sink.environment, "OTEL_EXPORTER_OTLP_COMPRESSION": compression})
            sizes.append(sink.received - before)
        plain, zipped = sizes
        assert zipped < plain / 2

    @each_protocol
    def test_each_signal_has_its_own_endpoint_and_protocol(self, tmp_path: Path, protocol: str) -> None:
        """The endpoint of one signal is, over HTTP, its whole URL."""
        (other,) = {*PROTOCOLS} - {protocol}
        path = {"grpc": "", "http/protobuf": "/v1/traces"}
        with receiving(protocol) as one, receiving(other) as two:
            serve(
                tmp_path,
                {
                    "OTEL_EXPORTER_OTLP_ENDPOINT": two.endpoint,
                    "OTEL_EXPORTER_OTLP_PROTOCOL": other,
                    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": one.endpoint + path[protocol],
                    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": protocol,
                },
            )
            assert ((True, False), (False, True)) == (arrived(one), arrived(two))

    def test_timeouts(self, tmp_path: Path, sink: Sink) -> None:
        """Each signal has its own; what takes longer is not waited for."""
        sink.delay = 0.6
        common = {"OTEL_EXPORTER_OTLP_TIMEOUT": "60", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "0.2"}
        assert {FAILED.name: 1.0, LOST.name: 1.0} == serve(tmp_path, {**sink.environment, **common}, [("/ok", {})])

    @pytest.mark.parametrize("sink", ["grpc"], indirect=True)
    def test_insecure_goes_for_an_endpoint_without_a_scheme(self, tmp_path: Path, sink: Sink) -> None:
        bare = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint.removeprefix("http://")}
        serve(tmp_path, {**sink.environment, **bare, "OTEL_EXPORTER_OTLP_INSECURE": "true"})
        assert (True, True) == arrived(sink)


@pytest.mark.slow
@each_protocol
class TestCertificates:
    """The receiver's certificate is of an authority of its own, and it wants one of the same from its clients."""

    def _environ(self, prefix: str, trusted: Authority, client: Authority | None) -> dict[str, str]:
        found = {f"{prefix}_CERTIFICATE": str(trusted.own.certificate)}
        if client is not None:
            mine = client.issue("client")
            found |= {f"{prefix}_CLIENT_CERTIFICATE": str(mine.certificate), f"{prefix}_CLIENT_KEY": str(mine.key)}
        return found

    def _arrived(self, directory: Path, protocol: str, authority: Authority, *more: dict[str, str]) -> object:
        environ = {"OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
        with receiving(protocol, authority) as sink:
            for each in (sink.environment, *more):
                environ |= each
            serve(directory, environ)
            return arrived(sink)

    def test_all_of_them(self, tmp_path: Path, protocol: str) -> None:
        good, other = (Authority(tmp_path / name) for name in ("good", "other"))
        common, traces = "OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES"
        assert {
            "right": (True, True),
            "no certificate of a client": (False, False),
            "another authority": (False, False),
            "right for spans alone": (True, False),
        } == {
            name: self._arrived(tmp_path / name, protocol, good, *environs)
            for name, environs in {
                "right": [self._environ(common, good, good)],
                "no certificate of a client": [self._environ(common, good, None)],
                "another authority": [self._environ(common, other, good)],
                "right for spans alone": [self._environ(common, other, good), self._environ(traces, good, good)],
            }.items()
        }


@only_http
class TestSpans:
    """Whose spans there are, and what is in them: no matter of protocols."""

    @pytest.mark.parametrize(
        ("sampler", "argument", "kept"),
        [
            ("parentbased_always_on", "", [True, False, True]),
            ("parentbased_traceidratio", "0", [True, False, False]),
            ("parentbased_traceidratio", "1", [True, False, True]),
            ("traceidratio", "0", [False, False, False]),
            ("always_on", "", [True, True, True]),
            ("always_off", "", [False, False, False]),
        ],
    )
    def test_the_sampler(self, tmp_path: Path, sink: Sink, sampler: str, argument: str, kept: list[bool]) -> None:
        """Of requests of a caller who samples, of one who does not, and of nobody who says so."""
        environ = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
        asked = {"/ok": caller(sampled=True), "/unnamed": caller(sampled=False), "/lambda": {}}
        serve(tmp_path, {**sink.environment, **environ}, list(asked.items()))
        found = {span.attributes["url.path"] for span in sink.servers()}
        assert kept == [path in found for path in asked]

    @pytest.mark.parametrize(
        ("environ", "joined"),
        [({}, True), ({"OTEL_PROPAGATORS": "baggage"}, False), ({"OTEL_PROPAGATORS": "none"}, False)],
        ids=["default", "baggage", "none"],
    )
    def test_propagators(self, tmp_path: Path, sink: Sink, environ: dict[str, str], joined: bool) -> None:
        serve(tmp_path, {**sink.environment, **environ}, [("/ok", caller(sampled=True))])
        (span,) = sink.servers()
        assert joined == ((TRACE, PARENT) == (span.trace_id, span.parent_id))
        assert joined or span.parent_id == ""

    def test_limits(self, tmp_path: Path, sink: Sink) -> None:
        limits = {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "4", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3"}
        serve(tmp_path, {**sink.environment, **limits}, [("/ok", {})])
        (span,) = sink.servers()
        assert 4 == len(span.attributes)
        assert span.proto.dropped_attributes_count > 0
        assert {True} == {len(value) <= 3 for value in span.attributes.values() if isinstance(value, str)}
