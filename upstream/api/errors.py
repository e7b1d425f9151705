"""Whatever goes wrong is answered as `{"error": message}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import is_valid_path
from django.views import defaults
from rest_framework import serializers
from rest_framework.exceptions import APIException, MethodNotAllowed, NotAuthenticated, NotFound
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.views import exception_handler

from upstream.text import shorten

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
    match error:
        case SuspiciousOperation() | BadRequest():
            error = _refusal(error)
        case RecursionError() if context["request"].method not in SAFE_METHODS:
            # Its values are gone through by functions that call themselves; nothing else here does so.
            error = Refused(400, "the body is nested too deeply")
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
    # A message may quote half of a surrogate pair, which JSON can hold and UTF-8 cannot.
    answer.data = {"error": message.encode("utf-8", "backslashreplace").decode()}
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer to a request that Django itself refuses: JSON to programs, a page to people."""
    if request.path.startswith(PREFIX):
        refusal = _refusal(exception)
        return JsonResponse({"error": str(refusal.detail)}, status=refusal.status_code)
    return defaults.bad_request(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer where no view is: JSON to programs, a page to people."""
    if request.path.startswith(PREFIX):
        is_unfinished = is_valid_path(f"{request.path_info}/")
        hint = f"{shorten(request.path)}/ is" if is_unfinished else "/api/v1/schema/ says what is"
        return JsonResponse({"error": f"{shorten(request.path)} is not there; {hint}"}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to our own fault: JSON to programs, a page to people."""
    if request.path.startswith(PREFIX):
        return JsonResponse({"error": "the request failed here, and that is recorded; try again later"}, status=500)
    return defaults.server_error(request)


def _refusal(error: Exception) -> Refused:
    if isinstance(error, RequestDataTooBig):
        return Refused(413, f"the body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes")
    # Its own words are for the service's operators.
    return Refused(400, f"the request cannot be read ({type(error).__name__})")


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
