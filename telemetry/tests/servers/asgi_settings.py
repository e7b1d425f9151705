"""The test project under ASGI: with views that take their time, and, if told, a middleware that is sync only."""

import os

from telemetry.tests.project.settings import *  # noqa: F403
from telemetry.tests.project.settings import MIDDLEWARE

ROOT_URLCONF = "telemetry.tests.servers.asgi_urls"
TELEMETRY_COUNT_SCRAPES = False
TELEMETRY_EXCLUDED_URLS = os.environ.get("EXCLUDED_URLS", "").split()
TELEMETRY_EXCLUDED_VIEWS = os.environ.get("EXCLUDED_VIEWS", "").split()

_place = os.environ.get("SYNC_ONLY_AT")
if _place is not None:
    MIDDLEWARE = list(MIDDLEWARE)
    MIDDLEWARE.insert(int(_place) % (len(MIDDLEWARE) + 1), "telemetry.tests.servers.asgi_urls.sync_only")
