"""The label values of HTTP records that the application makes: views, routes, charsets, templates, exceptions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from telemetry.catalogue.http import UNNAMED_VIEW
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.spec import OVERFLOW

_DJANGOS: Any = HttpResponseBase.charset
_TYPES = 100
"""How many content types are remembered."""


class HttpLabels:
    """Each is bounded by itself: no more than `limit` different values a process."""

    def __init__(self, limit: int, guard: Guard) -> None:
        self._guard = guard
        self.template = Bounded("http.template", limit, guard)
        self.error = Bounded("http.error", limit, guard)
        self._view = Bounded("http.view", limit, guard)
        self._route = Bounded("http.route", limit, guard)
        self._charset = Bounded("http.charset", limit, guard)
        self._by_content_type: dict[str, str] = {}

    def view(self, request: HttpRequest) -> str:
        """The name of the view that the request's URL was resolved to."""
        match = request.resolver_match
        return UNNAMED_VIEW if match is None else self._view[match.view_name or UNNAMED_VIEW]

    def route(self, request: HttpRequest) -> str:
        """The pattern that the request's URL matched; empty where none did. Never raises."""
        try:
            match = request.resolver_match
            return "" if match is None else self._route[match.route or ""]
        except Exception as exc:  # noqa: BLE001  # the application may put anything there
            self._guard.failed("http.route", exc)
            return ""

    def charset(self, response: HttpResponseBase) -> str:
        """The response's charset. Django searches the content type for it at every call; here once for each."""
        kind: Any = type(response)
        if kind.charset is not _DJANGOS or getattr(response, "_charset", self) is not None:
            return self._charset[str(response.charset)]
        given = response.headers.get("Content-Type", "")
        known = self._by_content_type.get(given)
        if known is not None:
            return known
        charset = self._charset[str(response.charset)]
        # Where the content type names none, the setting does, and may be another one tomorrow.
        if "charset=" in given.lower() and charset is not OVERFLOW and len(self._by_content_type) < _TYPES:
            self._by_content_type[given] = charset
        return charset
