"""The shop's settings; `DROPIN_STACK` says who watches (see `stack.py`), `DROPIN_DIRECTORY` where its files are.

`DROPIN_NAMESPACE`, `DROPIN_BUCKETS` (JSON; `"inf"` for infinity) and `DROPIN_MIGRATIONS` are the settings of
django-prometheus that they are named after.
"""

import json
import os
from pathlib import Path

from telemetry.tests.dropin.shop.stack import PACKAGE, STACK, instead_of

BASE_DIR = Path(__file__).resolve().parent
DIRECTORY = Path(os.environ["DROPIN_DIRECTORY"])
MIGRATIONS = bool(os.environ.get("DROPIN_MIGRATIONS"))

SECRET_KEY = "for tests only"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "shop.example"]
USE_TZ = True
ROOT_URLCONF = "telemetry.tests.dropin.shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
LOGIN_URL = "/admin/login/"
STATIC_URL = "/static/"

INSTALLED_APPS = [
    *([PACKAGE] if PACKAGE else []),
    *(["telemetry"] if STACK == "telemetry" else []),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "telemetry.tests.dropin.shop",
]
MIDDLEWARE = [
    *([f"{PACKAGE}.middleware.PrometheusBeforeMiddleware"] if PACKAGE else []),
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "telemetry.tests.dropin.shop.middleware.Gate",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "telemetry.tests.dropin.shop.middleware.MethodOverride",
    *([f"{PACKAGE}.middleware.PrometheusAfterMiddleware"] if PACKAGE else []),
]

_SQLITE = instead_of("django.db.backends.sqlite3", "db.backends.sqlite3")
DATABASES = {
    "default": {"ENGINE": _SQLITE, "NAME": DIRECTORY / "default.sqlite3"},
    "archive": {"ENGINE": _SQLITE, "NAME": DIRECTORY / "archive.sqlite3"},
}
if not MIGRATIONS:
    # A database that is down; django-prometheus, told to look for migrations in it, does not start.
    DATABASES["down"] = {"ENGINE": _SQLITE, "NAME": DIRECTORY / "nowhere" / "down.sqlite3"}
DATABASE_ROUTERS = ["telemetry.tests.dropin.shop.router.Router"]

_LOCMEM = instead_of("django.core.cache.backends.locmem.LocMemCache", "cache.backends.locmem.LocMemCache")
_FILES = instead_of("django.core.cache.backends.filebased.FileBasedCache", "cache.backends.filebased.FileBasedCache")
CACHES = {
    "default": {"BACKEND": _LOCMEM, "LOCATION": "default"},
    "second": {"BACKEND": _LOCMEM, "LOCATION": "second"},
    "files": {"BACKEND": _FILES, "LOCATION": DIRECTORY / "cache"},
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "loggers": {"django": {"handlers": ["null"], "level": "CRITICAL", "propagate": False}},
}

if STACK == "telemetry":
    TELEMETRY_MODELS = ["shop.Product", "shop.Order", "shop.Audit"]
if MIGRATIONS:
    PROMETHEUS_EXPORT_MIGRATIONS = True
if "DROPIN_NAMESPACE" in os.environ:
    PROMETHEUS_METRIC_NAMESPACE = os.environ["DROPIN_NAMESPACE"]
if "DROPIN_BUCKETS" in os.environ:
    PROMETHEUS_LATENCY_BUCKETS = [
        float(edge) if edge == "inf" else edge for edge in json.loads(os.environ["DROPIN_BUCKETS"])
    ]
