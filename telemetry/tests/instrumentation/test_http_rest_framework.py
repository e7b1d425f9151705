"""What Django REST framework turns into a response is an exception of its view all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.rest_framework import RestFrameworkInstrumentation
from telemetry.tests.instrumentation.recording import Recording

TYPES = "django_http_exceptions_total_by_type_total"
VIEWS = "django_http_exceptions_total_by_view_total"
STATUS = "django_http_responses_total_by_status_total"
LATENCY = "django_http_requests_latency_seconds_by_view_method"
DURATION = "http_server_request_duration_seconds"


class _Never(BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        return False

    def wait(self) -> float:
        return 60


class _Form(serializers.Serializer[Any]):
    number = serializers.IntegerField()


class _Api(APIView):
    # The project that the tests are started in has its own.
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []
    raised: Any = None

    def get(self, request: Any) -> Any:
        if self.raised is not None:
            raise self.raised
        return Response({"fine": True})

    def post(self, request: Any) -> Any:
        form = _Form(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(form.validated_data)


class _Overridden(_Api):
    raised = exceptions.APIException()

    def handle_exception(self, exc: Exception) -> Any:
        return super().handle_exception(exc)


def api(name: str, **options: Any) -> Any:
    return path(name, _Api.as_view(**options), name=name)


urlpatterns = [
    api("fine"),
    api("server-error", raised=exceptions.APIException()),
    api("unhandled", raised=KeyError("no")),
    api("anonymous", raised=exceptions.NotAuthenticated()),
    api("missing", raised=Http404()),
    api("denied", raised=PermissionDenied()),
    api("throttled", throttle_classes=[_Never]),
    path("overridden", _Overridden.as_view(), name="overridden"),
]


@pytest.fixture(autouse=True)
def urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__, REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
        yield


@pytest.fixture
def recorded(recording: Recording) -> Iterator[Recording]:
    watching = RestFrameworkInstrumentation(recording.http, Guard(recording.store))
    watching.install()
    watching.install()
    yield recording
    watching.uninstall()


CASES = [
    ("GET", "server-error", 500, "APIException", "rest_framework.exceptions.APIException"),
    ("GET", "overridden", 500, "APIException", "rest_framework.exceptions.APIException"),
    ("GET", "unhandled", 500, "KeyError", "KeyError"),
    ("POST", "fine", 400, "ValidationError", ""),
    ("PUT", "fine", 405, "MethodNotAllowed", ""),
    ("GET", "anonymous", 403, "NotAuthenticated", ""),
    ("GET", "missing", 404, "Http404", ""),
    ("GET", "denied", 403, "PermissionDenied", ""),
    ("GET", "throttled", 429, "Throttled", ""),
]


@pytest.mark.parametrize(("method", "view", "status", "exception", "error"), CASES)
class TestExceptions:
    @staticmethod
    def check(recorded: Recording, method: str, view: str, status: int, exception: str, error: str) -> None:
        assert {(exception,): 1} == recorded.series(TYPES)
        assert {(view,): 1} == recorded.series(VIEWS)
        assert {(str(status),): 1} == recorded.series(STATUS)
        assert {(method, view): 1} == recorded.values(LATENCY)
        assert {(error, method, str(status), view, "1.1", "http"): 1} == recorded.values(DURATION)
        assert 0 == recorded.in_flight()

    def test_each_is_seen_once(
        self, recorded: Recording, method: str, view: str, status: int, exception: str, error: str
    ) -> None:
        response = Client(raise_request_exception=False).generic(method, f"/{view}")
        assert status == response.status_code
        self.check(recorded, method, view, status, exception, error)

    def test_in_an_async_stack(
        self, recorded: Recording, method: str, view: str, status: int, exception: str, error: str
    ) -> None:
        client: Any = AsyncClient(raise_request_exception=False)
        response = asyncio.run(client.generic(method, f"/{view}"))
        assert status == response.status_code
        values = recorded.values(DURATION)
        assert {(exception,): 1} == recorded.series(TYPES)
        assert [(error, method, str(status), view)] == [labels[:4] for labels in values]


class TestInstallation:
    def test_what_succeeds_is_no_exception(self, recorded: Recording) -> None:
        response = Client().get("/fine")
        assert {"fine": True} == response.json()
        assert {} == recorded.series(TYPES)

    def test_uninstalled_it_is_as_it_was(self, recording: Recording) -> None:
        stock = APIView.handle_exception
        watching = RestFrameworkInstrumentation(recording.http, Guard(recording.store))
        watching.install()
        assert stock is not APIView.handle_exception
        watching.uninstall()
        assert stock is APIView.handle_exception
        Client().get("/missing")
        assert {} == recording.series(TYPES)

    def test_a_view_that_is_called_without_a_request_of_ours(self, recorded: Recording, rf: Any) -> None:
        assert 404 == _Api.as_view(raised=Http404())(rf.get("/")).status_code
        assert {} == recorded.series(TYPES)

    def test_a_view_that_fails_before_it_has_a_request(self) -> None:
        with Recording() as recording:
            watching = RestFrameworkInstrumentation(recording.http, Guard(recording.store))
            watching.install()
            try:
                view = _Api()
                view.headers = {}
                with override_settings(REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{__name__}.answer"}):
                    assert "handled" == view.handle_exception(exceptions.APIException()).data
            finally:
                watching.uninstall()
            assert [("http.rest_framework",)] == recording.dropped()


def answer(exc: Exception, context: Any) -> Any:
    return Response("handled", status=500)
