"""Whatever goes wrong is answered as `{"error": message}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import serializers
from rest_framework.exceptions import APIException, MethodNotAllowed, NotAuthenticated, NotFound
from rest_framework.response import Response
from rest_framework.views import exception_handler

from upstream.ingestion.reader import shorten

PREFIX = "/api/"


class ErrorSerializer(serializers.Serializer[Any]):
    """Why a request was refused, in words that name what was wrong with it."""

    error = serializers.CharField()


class Refused(APIException):
    """A request that cannot be served: the status and the message of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to what a view of the API raised; None where it is nobody's request but our fault."""
    answer = exception_handler(error, context)
    if answer is None:
        return None
    path = shorten(context["request"].path)
    match error:
        case NotAuthenticated():
            message = "the header 'Authorization: Token …' is missing"
        case MethodNotAllowed():
            view = context["view"]
            message = f"{path} takes {', '.join(view.allowed_methods)}, not {view.request.method}"
        case Http404() | NotFound():
            # Whether it is another customer's is not told.
            message = f"{path} is not there: the customer has nothing with this id"
        case APIException():
            message = "; ".join(_messages(error.detail))
        case _:
            message = str(error)
    answer.data = {"error": message}
    return answer


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer where no view is: JSON to programs, a page to people."""
    if request.path.startswith(PREFIX):
        return JsonResponse(
            {"error": f"{shorten(request.path)} is not there; /api/v1/schema/ says what is"}, status=404
        )
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to our own fault: JSON to programs, a page to people."""
    if request.path.startswith(PREFIX):
        return JsonResponse({"error": "the request failed here, and that is recorded; try again later"}, status=500)
    return defaults.server_error(request)


def _messages(detail: Any, field: str = "") -> Iterator[str]:
    match detail:
        case dict():
            for name, inner in detail.items():
                yield from _messages(inner, "" if name == "non_field_errors" else str(name))
        case list() | tuple():
            for inner in detail:
                yield from _messages(inner, field)
        case _:
            yield f"{field!r}: {detail}" if field else str(detail)
