"""The Celery app: `celery -A upstream worker`, and `-B` or `celery -A upstream beat` for the schedule."""

from __future__ import annotations

import os

from celery import Celery

from upstream import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upstream.settings.production")

broker.install()
app = Celery("upstream")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["upstream"])
