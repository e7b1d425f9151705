from __future__ import annotations

import pytest

from telemetry.exposition import Format, choose, gzip_accepted

TEXT, OPENMETRICS = Format.TEXT, Format.OPENMETRICS

HEADERS = {
    "none": (None, TEXT),
    "empty": ("", TEXT),
    "Prometheus 2.42": (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPENMETRICS,
    ),
    "Prometheus 2.42, native histograms": (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
        "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPENMETRICS,
    ),
    "Prometheus 2.4, OpenMetrics 0.0.1 only": (
        "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        TEXT,
    ),
    "Prometheus 2.0": (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
        TEXT,
    ),
    "Prometheus 3.3": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;escaping=allow-utf-8;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "Prometheus 3, underscores": (
        "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,"
        "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=underscores;q=0.3,"
        "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        OPENMETRICS,
    ),
    "Prometheus 3": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "Prometheus 3, native histograms": (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "Prometheus 3, PrometheusText0.0.4 as its scrape protocol": ("text/plain;version=0.0.4;q=0.5,*/*;q=0.4", TEXT),
    "Prometheus, protobuf as its only protocol": (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,*/*;q=0.4",
        TEXT,
    ),
    "Firefox": ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
    "Chrome": (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
        "application/signed-exchange;v=b3;q=0.7",
        TEXT,
    ),
    "curl": ("*/*", TEXT),
    "OpenMetrics": ("application/openmetrics-text", OPENMETRICS),
    "OpenMetrics, spaces, capitals, quotes": (' Application/OpenMetrics-Text ; Version="1.0.0" ; Q=0.5 ', OPENMETRICS),
    "OpenMetrics 2 only": ("application/openmetrics-text;version=2.0.0", TEXT),
    "OpenMetrics forbidden": ("application/openmetrics-text;q=0, text/plain;q=0.1", TEXT),
    "OpenMetrics forbidden, to three decimals": ("application/openmetrics-text;version=1.0.0;q=0.000", TEXT),
    "text preferred": ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;q=0.7", TEXT),
    "anything preferred": ("application/openmetrics-text;version=1.0.0;q=0.3,*/*", TEXT),
    "equal, OpenMetrics first": ("application/openmetrics-text,text/plain", OPENMETRICS),
    "equal, text first": ("text/plain,application/openmetrics-text", TEXT),
    "any application": ("application/*", TEXT),
    "any text": ("text/*;q=0.5,application/openmetrics-text;q=0.4", TEXT),
    "nothing that we have": ("application/json", TEXT),
    "garbage": (";;;,,=;q=;\x00/\xff,q=1", TEXT),
    "a quality that is no number": ("application/openmetrics-text;q=nan", TEXT),
    "a quality beyond 1": ("application/openmetrics-text;q=7,text/plain;q=0.1", TEXT),
    "a quality just beyond 1": ("application/openmetrics-text;q=1.5,text/plain;q=0.1", TEXT),
    "a quality in other digits": ("application/openmetrics-text;q=0.٣", TEXT),
    "a long one": ("text/html," * 2000 + "application/openmetrics-text", OPENMETRICS),
}


class TestChoose:
    @pytest.mark.parametrize(("accept", "expected"), HEADERS.values(), ids=HEADERS.keys())
    def test_gives_what_the_header_asks_for(self, accept: str | None, expected: Format) -> None:
        assert expected is choose(accept)


class TestFormat:
    def test_is_its_content_type(self) -> None:
        assert "text/plain; version=0.0.4; charset=utf-8" == TEXT
        assert "application/openmetrics-text; version=1.0.0; charset=utf-8" == OPENMETRICS


class TestGzipAccepted:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            (None, False),
            ("", False),
            ("gzip", True),
            ("gzip, deflate, br, zstd", True),
            ("deflate;q=0.5, GZIP;q=0.2", True),
            ("x-gzip", True),
            ("gzip;q=0", False),
            ("gzip; q=0.000, *", False),
            ("*", True),
            ("*;q=0", False),
            ("*;q=0, gzip;q=0.1", True),
            ("identity", False),
            ("br", False),
            ("gzip;q=banana", False),
            ("gzipped", False),
            (",;=,", False),
        ],
    )
    def test_by_name_or_star_unless_forbidden(self, header: str | None, expected: bool) -> None:
        assert expected is gzip_accepted(header)
