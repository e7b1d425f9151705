"""For pytest: an in-memory database (or `DATABASE_URL`), mail kept in memory."""

import os

from upstream.settings import _env
from upstream.settings.base import *  # noqa: F403

SECRET_KEY = "test-only-not-a-secret"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
if not os.environ.get("DATABASE_URL"):
    DATABASES = {"default": _env.database(VAR_DIR, {"DATABASE_URL": "sqlite://:memory:"})}  # noqa: F405
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
UPSTREAM_ALERT_RECIPIENTS = ["operators@example.com"]
UPSTREAM_WEBHOOK_ALLOW_PRIVATE = True
CELERY_BROKER_URL = "memory://localhost/"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
# Static files straight from the apps: nothing need be collected.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
