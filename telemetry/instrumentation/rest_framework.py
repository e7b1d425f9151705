"""Exceptions that Django REST framework turns into responses: without this, no middleware hears of them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.apps import apps

from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.http import HttpInstrumentation


class RestFrameworkInstrumentation:
    """Counts what `APIView.handle_exception` answers among the exceptions, as Django's own Http404 is.

    What it raises again reaches the middlewares, which count it.
    """

    def __init__(self, http: HttpInstrumentation, guard: Guard) -> None:
        self._http = http
        self._guard = guard
        self._stock: Callable[..., Any] | None = None

    def install(self) -> None:
        """Watch all API views, if the project has any; again changes nothing."""
        # Importing it for a project that does not use it would cost every start.
        if self._stock is not None or not (
            apps.is_installed("rest_framework") or "rest_framework.views" in sys.modules
        ):
            return
        view = self._view()
        self._stock = stock = view.handle_exception

        @functools.wraps(stock)
        def handle_exception(api_view: Any, exc: Exception) -> Any:
            response = stock(api_view, exc)
            self._handled(api_view, exc)
            return response

        view.handle_exception = handle_exception

    def uninstall(self) -> None:
        """Watch them no more."""
        if self._stock is not None:
            self._view().handle_exception = self._stock
            self._stock = None

    @staticmethod
    def _view() -> Any:
        return import_module("rest_framework.views").APIView

    def _handled(self, api_view: Any, exc: Exception) -> None:
        try:
            self._http.handled(api_view.request._request, exc)
        except Exception as failure:  # noqa: BLE001
            self._guard.failed("http.rest_framework", failure)
