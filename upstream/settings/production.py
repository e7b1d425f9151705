"""For a server: every secret comes from the environment, and a missing one stops the start."""

import os

from upstream.settings.base import *  # noqa: F403
from upstream.settings.base import _env

SECRET_KEY = _env.required("UPSTREAM_SECRET_KEY")
UPSTREAM_UPLOAD_TOKEN = _env.required("UPSTREAM_UPLOAD_TOKEN")
ALLOWED_HOSTS = [host.strip() for host in _env.required("UPSTREAM_ALLOWED_HOSTS").split(",")]

SECURE_SSL_REDIRECT = _env.boolean("UPSTREAM_SSL_REDIRECT", True)
# Prometheus scrapes inside the network, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
CSRF_COOKIE_SECURE = True
if _env.boolean("UPSTREAM_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = _env.integer("EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _env.boolean("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "upstream@localhost")
