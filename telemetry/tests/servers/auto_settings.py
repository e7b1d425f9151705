"""The test project as somebody has it who runs it under `opentelemetry-instrument`."""

import os

from telemetry.tests.project.settings import *  # noqa: F403

ROOT_URLCONF = "telemetry.tests.servers.auto_urls"
TELEMETRY_COUNT_SCRAPES = False
if os.environ.get("HOOKS_IN_SETTINGS"):
    TELEMETRY_REQUEST_HOOK = "telemetry.tests.servers.auto_urls.request_hook"
    TELEMETRY_RESPONSE_HOOK = "telemetry.tests.servers.auto_urls.response_hook"
