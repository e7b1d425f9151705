from __future__ import annotations

import re

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from telemetry.exposition import Format, Renderer
from telemetry.exposition.openmetrics import render
from telemetry.samples import Exemplar, FamilySamples, HistogramValue
from telemetry.spec import Family, FamilyType
from telemetry.tests.exposition.families import Given, as_metric, counter, gauge, some_families


def parse(page: bytes) -> list[Metric]:
    return list(text_string_to_metric_families(page.decode()))  # type: ignore[no-untyped-call]


def shape(page: bytes) -> dict[str, str]:
    return {metric.name: metric.type for metric in parse(page)}


class TestOpenMetrics:
    @pytest.mark.parametrize("seed", range(20))
    def test_is_byte_for_byte_what_prometheus_client_writes(self, seed: int) -> None:
        families = some_families(seed, exemplars=True)
        stock = Given(*(as_metric(samples, created=True) for samples in families))
        assert generate_latest(stock) == render(families)  # type: ignore[no-untyped-call]

    @pytest.mark.parametrize("seed", range(20))
    def test_passes_the_strict_parser(self, seed: int) -> None:
        families = some_families(seed, exemplars=True)
        assert len(families) == len(parse(render(families)))

    def test_ends_with_eof_even_when_empty(self) -> None:
        assert b"# EOF\n" == render([])

    def test_created_follows_each_series_where_it_is_known(self) -> None:
        page = render([counter("a_total", ((("l", "1"),), 3.0), created=1700000000.5), counter("b_total", ((), 1.0))])
        assert (
            "# HELP a A counter.\n"
            "# TYPE a counter\n"
            'a_total{l="1"} 3.0\n'
            'a_created{l="1"} 1.7000000005e+09\n'
            "# HELP b A counter.\n"
            "# TYPE b counter\n"
            "b_total 1.0\n"
            "# EOF\n"
        ) == page.decode()

    @pytest.mark.parametrize(
        ("name", "type_", "unit", "line"),
        [
            ("a_seconds_total", FamilyType.COUNTER, "seconds", "# UNIT a_seconds seconds"),
            ("a_bytes", FamilyType.GAUGE, "bytes", "# UNIT a_bytes bytes"),
            ("a_bytes", FamilyType.GAUGE, "seconds", None),
            ("abytes", FamilyType.GAUGE, "bytes", None),
            ("a", FamilyType.GAUGE, "", None),
        ],
    )
    def test_the_unit_stands_where_it_ends_the_name(
        self, name: str, type_: FamilyType, unit: str, line: str | None
    ) -> None:
        page = render([FamilySamples(Family(name, type_, "", unit=unit), [])])
        assert ([line] if line else []) == re.findall("^# UNIT .*$", page.decode(), re.MULTILINE)
        assert 1 == len(parse(page))

    def test_exemplars_stand_on_their_buckets(self) -> None:
        family = Family("h_seconds", FamilyType.HISTOGRAM, "", (), (1.0, 2.0))
        marks = {1: Exemplar(1.5, 1700000000.25, 0xABC, 0x12), 2: Exemplar(9.0, 1700000001.0, 0, 0)}
        page = render([FamilySamples(family, [((), HistogramValue([1.0, 1.0, 1.0], 11.5, marks))])])
        assert [
            'h_seconds_bucket{le="1.0"} 1.0',
            'h_seconds_bucket{le="2.0"} 2.0 # {span_id="0000000000000012",'
            'trace_id="00000000000000000000000000000abc"} 1.5 1700000000.25',
            'h_seconds_bucket{le="+Inf"} 3.0 # {} 9.0 1700000001.0',
        ] == [line for line in page.decode().splitlines() if "_bucket" in line]

    def test_an_exemplar_without_a_bucket_to_stand_on_is_left_out(self) -> None:
        family = Family("s", FamilyType.SUMMARY, "")
        mark = Exemplar(1.0, 1.0, 1, 1)
        page = render([FamilySamples(family, [((), HistogramValue([1.0], 1.0, {0: mark}))])])
        assert ["s_count 1.0", "s_sum 1.0", "# EOF"] == page.decode().splitlines()[2:]

    def test_the_largest_exemplar_is_within_the_limit_of_128_characters(self) -> None:
        family = Family("h", FamilyType.HISTOGRAM, "")
        mark = Exemplar(1.0, 1.0, 2**128 - 1, 2**64 - 1)
        page = render([FamilySamples(family, [((), HistogramValue([1.0], 1.0, {0: mark}))])])
        (metric,) = parse(page)
        (labels,) = [sample.exemplar.labels for sample in metric.samples if sample.exemplar]
        assert {"trace_id": "f" * 32, "span_id": "f" * 16} == labels
        assert 63 == sum(len(name) + len(value) for name, value in labels.items())

    def test_a_histogram_of_negative_values_has_neither_sum_nor_count(self) -> None:
        family = Family("h", FamilyType.HISTOGRAM, "", (), (-1.0, 1.0))
        page = render([FamilySamples(family, [((), HistogramValue([1.0, 1.0, 1.0], -5.0))], created=1.0)])
        (metric,) = parse(page)
        assert ["h_bucket", "h_bucket", "h_bucket", "h_created"] == [sample.name for sample in metric.samples]

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (["x_total"], {"x": "counter"}),
            (["x"], {"x": "unknown"}),
            (["_total"], {"_total": "unknown"}),
            (["x_total", "x_total_total"], {"x": "counter", "x_total_total": "unknown"}),
            (["x_total_total", "x_total"], {"x": "counter", "x_total_total": "unknown"}),
            (["x_total", "x_created_total"], {"x": "counter", "x_created_total": "unknown"}),
            (["x_created_total", "x_total"], {"x_created": "counter", "x_total": "unknown"}),
        ],
    )
    def test_counters_whose_short_names_clash_keep_their_full_ones(
        self, names: list[str], expected: dict[str, str]
    ) -> None:
        page = render([counter(name, ((), 1.0), created=1.0) for name in names])
        assert expected == shape(page)
        assert set(names) <= {sample.name for metric in parse(page) for sample in metric.samples}

    @pytest.mark.parametrize("backwards", [False, True])
    @pytest.mark.parametrize(
        ("other", "expected"),
        [
            ("x", {"x_total": "unknown", "x": "gauge"}),
            ("x_created", {"x_total": "unknown", "x_created": "gauge"}),
            ("x_total_total", {"x": "counter", "x_total_total": "gauge"}),
            ("y_total", {"x": "counter", "y_total": "gauge"}),
        ],
    )
    def test_a_gauge_beside_a_counter_stays_valid(self, other: str, expected: dict[str, str], backwards: bool) -> None:
        families = [counter("x_total", ((), 1.0), created=1.0), gauge(other, ((), 2.0))]
        page = render(families[::-1] if backwards else families)
        assert expected == shape(page)
        assert {"x_total": 1.0, other: 2.0}.items() <= {
            sample.name: sample.value for metric in parse(page) for sample in metric.samples
        }.items()

    def test_a_counter_that_comes_to_clash_loses_its_created(self) -> None:
        renderer = Renderer()
        alone = [counter("x_total", ((), 1.0), created=1.0)]
        renderer.render(alone, Format.OPENMETRICS)
        page = renderer.render([*alone, gauge("x")], Format.OPENMETRICS)
        assert {"x_total": "unknown", "x": "gauge"} == shape(page)

    def test_a_counter_named_like_a_part_of_a_histogram_keeps_its_full_name(self) -> None:
        histogram = FamilySamples(Family("h", FamilyType.HISTOGRAM, ""), [((), HistogramValue([1.0], 1.0))])
        page = render([counter("h_count_total", ((), 1.0)), histogram])
        assert {"h_count_total": "unknown", "h": "histogram"} == shape(page)
