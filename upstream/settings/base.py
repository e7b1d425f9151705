"""What every deployment shares."""

from __future__ import annotations

from pathlib import Path

from upstream.settings import _env

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = BASE_DIR / "var"

DEBUG = False
ALLOWED_HOSTS: list[str] = []
ROOT_URLCONF = "hello_world.urls"
WSGI_APPLICATION = "hello_world.wsgi.application"

INSTALLED_APPS = ["telemetry", "upstream"]

MIDDLEWARE = [
    "telemetry.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "telemetry.middleware.PrometheusAfterMiddleware",
]

TELEMETRY_SHORT_NAMES = True

DATABASES = {"default": _env.database(VAR_DIR / "upstream.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Files, because the progress of an upload must be visible to the other workers.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(VAR_DIR / "cache")}
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = "upstream@localhost"

UPSTREAM_UPLOAD_TOKEN = ""
"""What the header `X-Upstream-Token` must hold on every POST; empty: no check."""
UPSTREAM_MAX_UPLOAD_BYTES = _env.integer("UPSTREAM_MAX_UPLOAD_BYTES", 512 * 1024 * 1024)
UPSTREAM_ALERT_RECIPIENTS: list[str] = _env.words("UPSTREAM_ALERT_RECIPIENTS")
"""Who is told when a customer has no address of its own."""
UPSTREAM_ALERT_THRESHOLD = 0.4
"""The severity score (0 to 1) from which a drift event raises an alert."""
UPSTREAM_ALERT_COOLDOWN_HOURS = 24
"""How long an alert silences the next one on the same payer and drift type."""
