"""A Django of its own, set up twice as by `ready()`, whose views call a server: run as a script, it prints what it saw.

Arguments: the URL to call. Where the spans go is the environment's to say.
"""

from __future__ import annotations

import json
import sys

import django
import httpx
import requests
import urllib3
from django.conf import settings
from django.core.signals import request_started
from opentelemetry import trace

CLASSES = (
    requests.Session,
    urllib3.HTTPConnectionPool,
    urllib3.HTTPSConnectionPool,
    urllib3.PoolManager,
    httpx.HTTPTransport,
    httpx.AsyncHTTPTransport,
)


def main(url: str) -> None:
    before = [dict(vars(each)) for each in CLASSES]
    settings.configure(INSTALLED_APPS=["telemetry"], SECRET_KEY="tests", ROOT_URLCONF=__name__, USE_TZ=True)
    django.setup()
    from telemetry import runtime

    runtime.get().place_middleware()
    request_started.send(main)  # as a process that serves, which pushes metrics too, at its end at the latest
    # Each call is followed by an export, which the next one would tell of if it had a span.
    for _ in range(2):
        for client in (requests, httpx):
            client.get(url, timeout=10)
            flush = getattr(trace.get_tracer_provider(), "force_flush", lambda: None)
            flush()
    print(
        json.dumps(
            {
                "untouched": before == [dict(vars(each)) for each in CLASSES],
                "stock": sorted(name for name in sys.modules if name.startswith("opentelemetry.instrumentation.")),
                "page": runtime.get().scrape().body.decode(),
            }
        )
    )


urlpatterns: list[object] = []

if __name__ == "__main__":
    main(sys.argv[1])
