"""The test project on the databases given by `TEST_DATABASES` (JSON: Django's `DATABASES`)."""

import json
import os

from telemetry.tests.project.settings import *  # noqa: F403

ROOT_URLCONF = "telemetry.tests.postgres.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "telemetry", "telemetry.tests.postgres"]
DATABASES = json.loads(os.environ["TEST_DATABASES"])
