from upstream.settings.dev import *  # noqa: F403
from upstream.settings.dev import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "upstream.tests.pausing"]
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
