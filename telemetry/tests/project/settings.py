"""Settings by environment: `TEST_STACK` names what watches the project.

- `telemetry` (default): the app, as a user installs it.
- `recorder`: our middlewares only; the test says where they record.
- `django_prometheus`: the predecessor, its middlewares and its engine.
- `bare`: nothing.
"""

import os
from pathlib import Path

STACK = os.environ.get("TEST_STACK", "telemetry")
BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "for tests only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "telemetry.tests.project.urls"
APPEND_SLASH = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

_APP = {"telemetry": ["telemetry"], "django_prometheus": ["django_prometheus"]}
INSTALLED_APPS = _APP.get(STACK, [])

_BEFORE = {
    "django_prometheus": ["django_prometheus.middleware.PrometheusBeforeMiddleware"],
    "recorder": ["telemetry.middleware.PrometheusBeforeMiddleware"],
}
_AFTER = {
    "django_prometheus": ["django_prometheus.middleware.PrometheusAfterMiddleware"],
    "recorder": ["telemetry.middleware.PrometheusAfterMiddleware"],
}
MIDDLEWARE = [
    *_BEFORE.get(STACK, []),
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "telemetry.tests.project.middleware.short_circuit",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "telemetry.tests.project.middleware.method_override",
    *_AFTER.get(STACK, []),
]

_ENGINES = {"django_prometheus": "django_prometheus.db.backends.sqlite3"}
DATABASES = {
    "default": {
        "ENGINE": _ENGINES.get(STACK, "django.db.backends.sqlite3"),
        "NAME": os.environ.get("TEST_DATABASE", ":memory:"),
    }
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.locmem.Loader",
                    {"hello.html": "hello {{ name }}", "broken.html": "{{ name.explode }}"},
                )
            ]
        },
    }
]
