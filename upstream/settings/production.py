"""For a server: every secret comes from the environment, and a missing one stops the start."""

import os

from upstream.settings import _env
from upstream.settings.base import *  # noqa: F403

SECRET_KEY = _env.required("UPSTREAM_SECRET_KEY")
ALLOWED_HOSTS = [host.strip() for host in _env.required("UPSTREAM_ALLOWED_HOSTS").split(",")]

SECURE_SSL_REDIRECT = _env.boolean("UPSTREAM_SSL_REDIRECT", True)
# Prometheus scrapes inside the network, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
CSRF_COOKIE_SECURE = True
SESSION_COOKIE_SECURE = True
# A scraper shows the token, or is in the networks; without either variable, in a private one.
TELEMETRY_METRICS_TOKEN = os.environ.get("UPSTREAM_METRICS_TOKEN", "").strip()
TELEMETRY_METRICS_ALLOWED_NETWORKS = _env.words("UPSTREAM_METRICS_NETWORKS")
if not TELEMETRY_METRICS_TOKEN and not TELEMETRY_METRICS_ALLOWED_NETWORKS:
    TELEMETRY_METRICS_ALLOWED_NETWORKS = [
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    ]
if TELEMETRY_METRICS_ALLOWED_NETWORKS:
    # A proxy is in a private network itself: those whom it serves must be in one too.
    TELEMETRY_METRICS_PROXY_HEADER = "X-Forwarded-For"
if _env.boolean("UPSTREAM_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Every process, one line of JSON a record; of exceptions the type and the stack, because messages may quote claims.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"trace": {"()": "telemetry.logging.TraceFilter"}},
    "formatters": {"json": {"()": "telemetry.logging.JsonFormatter"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "filters": ["trace"], "formatter": "json"}},
    "root": {"handlers": ["out"], "level": "INFO"},
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = _env.integer("EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _env.boolean("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "upstream@localhost")
