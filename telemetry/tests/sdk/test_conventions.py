"""Families go to OTLP receivers by the names of the semantic conventions, and none is forgotten."""

from __future__ import annotations

import pytest
from opentelemetry.semconv._incubating.metrics import db_metrics, http_metrics
from opentelemetry.semconv.metrics import db_metrics as stable_db_metrics
from opentelemetry.semconv.metrics import http_metrics as stable_http_metrics

from telemetry.catalogue.buckets import LATENCY
from telemetry.catalogue.conventions import ATTRIBUTES, CONVENTIONS
from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.http import http_catalogue
from telemetry.samples import Exemplar, FamilySamples, HistogramValue
from telemetry.sdk.conventions import Conventional
from telemetry.sdk.families import _name
from telemetry.sdk.flows import Flow
from telemetry.sdk.keys import attributes_of
from telemetry.sdk.streams import Shape
from telemetry.spec import Family, FamilyType

FAMILIES = {
    projection.family.name: projection.family
    for catalogue in (http_catalogue(LATENCY), db_catalogue(LATENCY))
    for projection in catalogue.projections
    if not projection.family.name.startswith(("django_", "telemetry_"))
}


def shown(family: Family, *series: tuple[tuple[tuple[str, str], ...], float | HistogramValue]) -> Flow:
    flow = Conventional()(FamilySamples(family, list(series)))
    assert flow is not None
    return flow


class TestConventions:
    def test_every_family_of_a_convention_has_its_name(self) -> None:
        assert FAMILIES.keys() == CONVENTIONS.keys()

    @pytest.mark.parametrize("name", CONVENTIONS)
    def test_names_are_those_of_the_published_conventions(self, name: str) -> None:
        modules = (http_metrics, db_metrics, stable_http_metrics, stable_db_metrics)
        published = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
        assert CONVENTIONS[name].name in published

    @pytest.mark.parametrize("name", CONVENTIONS)
    def test_prometheus_would_spell_it_as_the_page_does(self, name: str) -> None:
        assert name == _name(shown(FAMILIES[name]))

    @pytest.mark.parametrize("name", CONVENTIONS)
    def test_every_label_has_its_attribute(self, name: str) -> None:
        labels = set(FAMILIES[name].labels)
        assert {"alias"} >= labels - ATTRIBUTES.keys()  # of ours, beside those of the convention
        for label in labels & ATTRIBUTES.keys():
            assert label == ATTRIBUTES[label].replace(".", "_")


class TestConventional:
    def test_a_histogram_with_its_exemplars(self) -> None:
        exemplar = Exemplar(0.5, 1.0, 2, 3)
        value = HistogramValue([1.0, 0.0], 0.5, {0: exemplar})
        labels = (("error_type", ""), ("http_response_status_code", "200"), ("url_scheme", "http"))
        name = "http_server_request_duration_seconds"
        family = Family(name, FamilyType.HISTOGRAM, "help", tuple(name for name, _ in labels), (1.0,))
        flow = shown(family, (labels, value))
        assert ("http.server.request.duration", "s", Shape.HISTOGRAM) == (flow.name, flow.unit, flow.shape)
        (key,) = flow.series
        assert {"http.response.status_code": 200, "url.scheme": "http"} == attributes_of(key)
        assert {key: {0: exemplar}} == flow.exemplars

    def test_what_rises_and_falls_is_an_up_down_counter(self) -> None:
        flow = shown(Family("http_server_active_requests", FamilyType.GAUGE, "help"), ((), 3.0))
        assert (Shape.SUM, False, "{request}") == (flow.shape, flow.monotonic, flow.unit)

    def test_a_family_of_no_convention_keeps_its_name(self) -> None:
        flow = shown(Family("telemetry_x_total", FamilyType.COUNTER, "help"), ((), 3.0))
        assert ("telemetry_x_total", "", True) == (flow.name, flow.unit, flow.monotonic)
