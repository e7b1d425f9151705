"""For a developer's machine: no secrets needed, mail goes to the console."""

from upstream.settings import _env
from upstream.settings.base import *  # noqa: F403

DEBUG = _env.boolean("DJANGO_DEBUG", False)
SECRET_KEY = "dev-only-not-a-secret"  # noqa: S105
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
# Static files straight from the apps: nothing need be collected.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
UPSTREAM_ALERT_RECIPIENTS = ["operators@localhost"]
UPSTREAM_WEBHOOK_ALLOW_PRIVATE = True
