"""The test project with a Celery app beside it: `CELERY_BROKER` is its Redis, `CELERY_LOG` what its tasks write."""

import os

from telemetry.tests.project.settings import *  # noqa: F403

ROOT_URLCONF = "telemetry.tests.servers.celery_tasks"
TELEMETRY_COUNT_SCRAPES = False

CELERY_BROKER_URL = CELERY_RESULT_BACKEND = os.environ["CELERY_BROKER"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = "CELERY_REMOTE_CONTROL" in os.environ
