from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from telemetry.exposition import Renderer
from telemetry.exposition._encoder import Lines
from telemetry.exposition.text import TextEncoder, render
from telemetry.samples import FamilySamples, HistogramValue
from telemetry.spec import Family, FamilyType
from telemetry.tests.exposition.families import Given, as_metric, counter, gauge, some_families


class TestText:
    @pytest.mark.parametrize("seed", range(20))
    def test_is_byte_for_byte_what_prometheus_client_writes(self, seed: int) -> None:
        families = some_families(seed)
        expected = generate_latest(Given(*(as_metric(samples, created=False) for samples in families)))
        assert expected == render(families)

    @pytest.mark.parametrize("seed", range(20))
    def test_parses_back_to_what_went_in(self, seed: int) -> None:
        families = some_families(seed)
        parsed = list(text_string_to_metric_families(render(families).decode()))
        expected = [as_metric(samples, created=False) for samples in families]
        assert [_comparable(metric.samples) for metric in expected] == [_comparable(m.samples) for m in parsed]
        assert [(m.name, m.type, m.documentation) for m in expected] == [
            (m.name, m.type, m.documentation) for m in parsed
        ]

    def test_a_family_without_series_has_its_help_and_type(self) -> None:
        assert b"# HELP a_total A counter.\n# TYPE a_total counter\n" == render([counter("a_total")])

    def test_labels_are_sorted_with_le_among_them(self) -> None:
        family = Family("h", FamilyType.HISTOGRAM, "", ("z", "a"), (1.0,))
        page = render([FamilySamples(family, [((("z", "1"), ("a", "2")), HistogramValue([1.0, 2.0], 9.5))])])
        assert [
            'h_bucket{a="2",le="1.0",z="1"} 1.0',
            'h_bucket{a="2",le="+Inf",z="1"} 3.0',
            'h_count{a="2",z="1"} 3.0',
            'h_sum{a="2",z="1"} 9.5',
        ] == page.decode().splitlines()[2:]

    def test_a_summary_has_its_count_and_sum(self) -> None:
        family = Family("s", FamilyType.SUMMARY, "")
        page = render([FamilySamples(family, [((), HistogramValue([2.0, 1.0], 9.5))])])
        assert ["s_count 3.0", "s_sum 9.5"] == page.decode().splitlines()[2:]

    def test_surrogates_are_spelt_out_and_stay_apart(self) -> None:
        page = render([gauge("g", ((("l", "a\ud800"),), 1.0), ((("l", "a\ud801"),), 2.0))])
        (metric,) = text_string_to_metric_families(page.decode())
        assert {"a\\ud800": 1.0, "a\\ud801": 2.0} == {sample.labels["l"]: sample.value for sample in metric.samples}

    def test_surrogates_in_a_help_are_spelt_out(self) -> None:
        page = render([FamilySamples(Family("g", FamilyType.GAUGE, "x\ud800"), [])])
        (metric,) = text_string_to_metric_families(page.decode())
        assert "x\\ud800" == metric.documentation


class TestEncoder:
    def test_the_first_of_two_families_of_one_name_wins_and_that_is_logged_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        renderer = Renderer()
        twice = [gauge("g", ((), 1.0)), counter("g", ((), 2.0))]
        pages = {renderer.render(twice), renderer.render(twice)}
        assert {render([gauge("g", ((), 1.0))])} == pages
        assert ["metric family 'g' is left out of the page: another family has its name"] == caplog.messages

    @pytest.mark.parametrize(
        "broken",
        [
            pytest.param(((), HistogramValue([1.0], 1.0)), id="too few buckets"),
            pytest.param(((), HistogramValue([1.0, 1.0, 1.0], 1.0)), id="too many buckets"),
            pytest.param(((), 1.0), id="no histogram"),
            pytest.param(((("le", "1"),), HistogramValue([1.0, 1.0], 1.0)), id="a label le"),
            pytest.param(((), None), id="no value"),
        ],
    )
    def test_a_family_that_cannot_be_written_costs_only_itself(
        self, broken: tuple[object, object], caplog: pytest.LogCaptureFixture
    ) -> None:
        family = Family("h", FamilyType.HISTOGRAM, "", (), (1.0,))
        good = [gauge("before", ((), 1.0)), gauge("after", ((), 2.0))]
        bad = FamilySamples(family, [((), HistogramValue([1.0, 0.0], 1.0)), broken])  # type: ignore[list-item]
        renderer = Renderer()
        pages = {renderer.render([good[0], bad, good[1]]) for _ in range(2)}
        assert {render(good)} == pages
        assert 1 == len(caplog.messages)
        assert "metric family 'h' is left out" in caplog.text

    @pytest.mark.parametrize("limit", [0, 7, 20_000])
    def test_kept_prefixes_change_nothing(self, limit: int) -> None:
        renderer = Renderer(limit)
        for seed in (1, 1, 2, 1):
            families = some_families(seed)
            assert render(families) == renderer.render(families)

    def test_no_more_series_are_kept_than_were_seen_last_nor_than_the_limit(self) -> None:
        encoder = TextEncoder(limit=5)
        encoder.render([_gauges("a", 3), _gauges("b", 2), _gauges("c", 1)])
        assert 5 == len(_kept(encoder))
        encoder.render([_gauges("a", 2)])
        assert 2 == len(_kept(encoder))

    def test_a_series_that_is_seen_again_is_not_rendered_again(self) -> None:
        encoder = TextEncoder(limit=5)
        encoder.render([_gauges("a", 3)])
        before = set(map(id, _kept(encoder)))
        encoder.render([_gauges("a", 3)])
        assert before == set(map(id, _kept(encoder)))


def _kept(encoder: TextEncoder) -> list[Lines]:
    return [lines for series in encoder._kept.values() for lines in series.values()]


def _gauges(name: str, count: int) -> FamilySamples:
    return gauge(name, *((((("n", str(number)),)), 1.0) for number in range(count)))


def _comparable(samples: Sequence[Sample]) -> list[object]:
    """NaN equals nothing, not even itself."""
    return [(s.name, s.labels, "NaN" if math.isnan(s.value) else s.value) for s in samples]
