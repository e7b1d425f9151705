"""Charsets are remembered by content type; what is recorded is what the response itself says."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import override_settings

from telemetry.instrumentation._http_labels import HttpLabels
from telemetry.instrumentation.guard import Guard
from telemetry.store import MemoryStore


class Own(HttpResponse):
    """A response that finds its charset in its own way."""

    charset: Any = property(lambda self: "own", lambda self, value: None)


def switched() -> HttpResponse:
    response = HttpResponse(content_type="text/html; charset=one")
    response.headers["Content-Type"] = "text/html; charset=two"
    return response


def given() -> HttpResponse:
    response = HttpResponse(content_type="text/html; charset=one")
    response.charset = "three"
    return response


def without_type() -> HttpResponse:
    response = HttpResponse()
    del response.headers["Content-Type"]
    return response


@pytest.fixture
def labels() -> HttpLabels:
    return HttpLabels(1000, Guard(MemoryStore()))


class TestCharset:
    @pytest.mark.parametrize(
        "make",
        [
            HttpResponse,
            switched,
            given,
            without_type,
            lambda: HttpResponse(content_type="text/html; charset=one"),
            lambda: HttpResponse(content_type='text/html; Charset="QUOTED"'),
            lambda: HttpResponse(content_type="text/html; charset=one", charset="four"),
            lambda: HttpResponse(content_type="application/json"),
            lambda: HttpResponse(content_type=""),
            lambda: Own(content_type="text/html; charset=one"),
        ],
    )
    def test_is_the_responses_own_each_time(self, labels: HttpLabels, make: Any) -> None:
        labels.charset(HttpResponse(content_type="text/html; charset=one"))
        for _ in range(2):
            response = make()
            assert response.charset == labels.charset(response)

    def test_follows_the_setting_where_no_type_names_one(self, labels: HttpLabels) -> None:
        for setting in ("utf-8", "latin-1"):
            with override_settings(DEFAULT_CHARSET=setting):
                assert setting == labels.charset(HttpResponse(content_type="application/json"))

    def test_remembers_so_many_content_types_only(self, labels: HttpLabels) -> None:
        for number in range(300):
            labels.charset(HttpResponse(content_type=f"multipart/mixed; boundary={number}; charset=utf-8"))
        assert 100 == len(labels._by_content_type)
