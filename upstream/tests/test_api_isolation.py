"""One token sees one customer's rows: every route of the API is walked, those that will come too."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, include, path
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from upstream.api.alerts import AlertDetailSerializer, AlertView
from upstream.api.base import CustomersOwn
from upstream.models import Alert, Customer, Payer
from upstream.tests.planted import MINE, THEIRS, WORDS, plant
from upstream.tests.programs import API, program

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
SHARED = {Payer}
"""Models whose rows are nobody's."""
DESCRIBES_ITSELF = {"schema/"}
"""Routes that show no rows at all."""


def routes(patterns: list[Any] | None = None, before: str = "/") -> Iterator[str]:
    """Every route of the API, such as `/api/v1/batches/<int:pk>/`."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and route.startswith(API):
            yield route


def tables() -> dict[str, list[dict[str, Any]]]:
    """All that is theirs, table by table."""
    return {
        model.__name__: list(rows(model).order_by("pk").values())
        for model in apps.get_app_config("upstream").get_models()
        if model not in SHARED
    }


def rows(model: type[Model]) -> Any:
    """Their rows of a model, found by the way from it to its customer."""
    ways = ("customer", "batch__customer", "alert__customer")
    names = {field.name for field in model._meta.get_fields()}
    way = "pk" if model is Customer else next(way for way in ways if way.split("__")[0] in names)
    return model._default_manager.filter(**{way: THEIRS})


def leaks(web: Client) -> list[str]:
    """Every way in which the customer `web` sees or changes what is theirs."""
    found = []
    fields = {
        field.name for model in apps.get_app_config("upstream").get_models() for field in model._meta.get_fields()
    }
    body = json.dumps(dict.fromkeys(fields | {f"{name}_id" for name in fields}, THEIRS))
    before = tables()
    for route in routes():
        url = re.sub(r"<[^>]*>", str(THEIRS), route)
        shows = route.removeprefix(API) not in DESCRIBES_ITSELF
        for method in METHODS:
            answer = web.generic(method.upper(), url, body, content_type="application/json")
            text = answer.content.decode().replace(url, "")
            # A refusal quotes what it was given: the ids, but never the words.
            if shows and (WORDS[THEIRS] in text or (str(THEIRS) in text and answer.status_code < 400)):
                found.append(f"{method} {route} shows {text}")
            if "<" in route and method not in ("head", "options") and answer.status_code not in (404, 405):
                found.append(f"{method} {route} answers {answer.status_code}")
            if answer.status_code >= 500:
                found.append(f"{method} {route} breaks: {answer.status_code}")
    after = tables()
    return [*found, *(f"{name} is changed" for name in before if before[name] != after[name])]


@pytest.fixture
def web(db: None, settings: Any) -> Client:
    """A program of the one customer, where there are two."""
    settings.UPSTREAM_API_BURST = settings.UPSTREAM_API_SUSTAINED = settings.UPSTREAM_API_UPLOADS = "100000/minute"
    settings.UPSTREAM_API_JOBS = "100000/minute"
    plant(THEIRS)
    return program(plant(MINE))


class TestIsolation:
    def test_there_is_something_of_both_in_every_table(self, web: Client) -> None:
        assert {name for name, found in tables().items() if not found} <= {"ApiToken"}
        assert 13 == len(tables())

    def test_no_route_shows_or_changes_what_is_anothers(self, web: Client) -> None:
        assert [] == leaks(web)

    def test_every_route_shows_what_is_ones_own(self, web: Client) -> None:
        """Else a route that is broken would pass for one that keeps them apart."""
        silent = []
        for route in routes():
            answer = web.get(re.sub(r"<[^>]*>", str(MINE), route))
            if answer.status_code != 405 and route.removeprefix(API) not in DESCRIBES_ITSELF:
                assert 200 == answer.status_code, route
                text = answer.content.decode()
                if WORDS[MINE] not in text and str(MINE) not in text:
                    silent.append(route)
        assert [] == silent

    def test_a_filter_by_anothers_payer_finds_nothing(self, web: Client) -> None:
        assert [] == web.get(f"{API}events/", {"payer": "theirs-payer"}).json()["results"]
        assert [MINE] == [event["id"] for event in web.get(f"{API}events/", {"payer": "mine-payer"}).json()["results"]]


class _Everyones(ListModelMixin, RetrieveModelMixin, GenericViewSet[Alert]):
    queryset = Alert.objects.all()
    serializer_class = AlertDetailSerializer
    lookup_value_converter = "int"


class _Overridden(AlertView):
    def get_queryset(self) -> Any:
        return Alert.objects.all()


class _Deletes(CustomersOwn):
    queryset = Alert.objects.all()
    serializer_class = AlertDetailSerializer

    def create(self, request: Any) -> Response:
        Alert.objects.filter(pk=request.data["alert"]).delete()
        return Response({})


class _Counts(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Any) -> Response:
        return Response({"last": Alert.objects.latest("pk").pk})


class TestTheWalk:
    """That it finds what it is to find, wherever an endpoint is written without care."""

    @pytest.mark.parametrize(
        ("view", "kinds"),
        [
            (_Everyones, {"shows", "answers"}),
            (_Overridden, {"shows", "answers", "is changed"}),
            (_Deletes, {"is changed"}),
        ],
    )
    def test_finds_a_view_without_isolation(self, view: Any, kinds: set[str], web: Client, settings: Any) -> None:
        router = SimpleRouter(use_regex_path=False)
        router.register("careless", view, "careless")
        settings.ROOT_URLCONF = _with(path("", include(router.urls)))
        found = leaks(web)
        assert kinds == {kind for kind in ("shows", "answers", "is changed", "breaks") if kind in " ".join(found)}

    def test_finds_a_plain_view(self, web: Client, settings: Any) -> None:
        settings.ROOT_URLCONF = _with(path("counts/", _Counts.as_view()))
        assert [f'get {API}counts/ shows {{"last":{THEIRS}}}'] == leaks(web)


def _with(more: Any) -> Any:
    module = types.ModuleType("urls_of_the_test")
    module.urlpatterns = [path(API.lstrip("/"), include([more])), *get_resolver().url_patterns]  # type: ignore[attr-defined]
    return module
