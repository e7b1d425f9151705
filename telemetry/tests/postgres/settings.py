"""The test project on two PostgreSQL databases, given by `TEST_DATABASES` (JSON: Django's `DATABASES`)."""

import json
import os

from telemetry.tests.project.settings import *  # noqa: F403

ROOT_URLCONF = "telemetry.tests.postgres.urls"
INSTALLED_APPS = ["telemetry", "telemetry.tests.postgres"]
DATABASES = json.loads(os.environ["TEST_DATABASES"])
