"""The product as a developer runs it, without its schedule: nothing happens that the test does not cause."""

from upstream.settings.dev import *  # noqa: F403
from upstream.settings.dev import CELERY_BEAT_SCHEDULE

CELERY_BEAT_SCHEDULE = {"sweep": CELERY_BEAT_SCHEDULE["sweep"]}
