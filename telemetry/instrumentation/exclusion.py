"""Which requests leave no HTTP records at all, as far as that is known when they arrive."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from django.http import HttpRequest
from django.urls import NoReverseMatch, URLResolver, get_resolver, get_script_prefix, get_urlconf, reverse

SCRAPE = "prometheus-django-metrics"
"""The name of the URL that Prometheus scrapes."""


def excluding(
    paths: Sequence[re.Pattern[str]], also: Callable[[HttpRequest], bool] | None = None
) -> Callable[[HttpRequest], bool] | None:
    """A test for requests whose path one of the patterns is found in, or that `also` picks; None where none can be.

    The path is the request's whole one, with the script's prefix and without the query. A view is known
    only later: `HttpInstrumentation(excluded_views=...)`.
    """
    if not paths:
        return also
    searches = [pattern.search for pattern in paths]

    def excluded(request: HttpRequest) -> bool:
        path = request.path
        for search in searches:
            if search(path):
                return True
        return also is not None and also(request)

    return excluded


def is_scrape(request: HttpRequest) -> bool:
    """Whether the request asks for the metrics."""
    urlconf = get_urlconf()
    return request.path == _scrape_path(get_resolver(urlconf), urlconf, get_script_prefix())


@lru_cache(maxsize=64)
def _scrape_path(resolver: URLResolver, urlconf: str | None, prefix: str) -> str | None:
    # Each site of a project with several may have the endpoint elsewhere, or not at all. The resolver
    # stands for ROOT_URLCONF where the request has no URLconf of its own.
    try:
        return reverse(SCRAPE, urlconf)
    except NoReverseMatch:
        return None
