"""The product, with a URL that makes every family count something, and a database that cannot be opened."""

import os

from upstream.settings.dev import *  # noqa: F403

ROOT_URLCONF = "telemetry.tests.generate.urls"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["TEST_DATABASE"]},
    "unreachable": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(os.sep, "nowhere", "at", "all")},
}
# The third customer overflows.
TELEMETRY_LABEL_BUDGETS = {"customer_id": 2}
