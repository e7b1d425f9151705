"""The endpoint that Prometheus scrapes."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from telemetry import runtime


@login_not_required
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics of all processes, in the format that the Accept header asks for; never asks the database."""
    headers = request.headers
    page = runtime.get().scrape(headers.get("Accept"), headers.get("Accept-Encoding"))
    response = HttpResponse(page.body, content_type=page.content_type)
    response["Vary"] = "Accept, Accept-Encoding"
    if page.encoding:
        response["Content-Encoding"] = page.encoding
    return response
