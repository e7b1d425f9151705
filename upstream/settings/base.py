"""What every deployment shares."""

from __future__ import annotations

from pathlib import Path

from celery.schedules import crontab

from upstream.settings import _env

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = _env.directory("UPSTREAM_VAR_DIR", BASE_DIR / "var")
"""Where the service keeps what is in no database: uploads that wait, the embedded broker, the cache."""

DEBUG = False
ALLOWED_HOSTS: list[str] = []
ROOT_URLCONF = "hello_world.urls"
WSGI_APPLICATION = "hello_world.wsgi.application"

INSTALLED_APPS = [
    "telemetry",
    "upstream",
    "rest_framework",
    "drf_spectacular",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "telemetry.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "telemetry.middleware.PrometheusAfterMiddleware",
]

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
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
MEDIA_ROOT = VAR_DIR / "media"
# What waits there are claims.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SESSION_COOKIE_AGE = 12 * 3600

TELEMETRY_SHORT_NAMES = True

DATABASES = {"default": _env.database(VAR_DIR / "upstream.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Files, because the progress of an upload and the calls of a customer must be visible to the other workers.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(VAR_DIR / "cache"),
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = "upstream@localhost"

# Only workers know a broker; what is lost in it the table of jobs brings back.
CELERY_BROKER_URL = _env.text("UPSTREAM_BROKER_URL", "filesystem://localhost/")
CELERY_BROKER_TRANSPORT_OPTIONS = _env.broker_options(CELERY_BROKER_URL, VAR_DIR / "broker")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0}
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_TIMEZONE = "UTC"
UPSTREAM_SWEEP_SECONDS = _env.number("UPSTREAM_SWEEP_SECONDS", 15)
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "upstream.sweep",
        "schedule": UPSTREAM_SWEEP_SECONDS,
        "options": {"expires": UPSTREAM_SWEEP_SECONDS},
    },
    "orphans": {"task": "upstream.remove_orphans", "schedule": crontab(hour="2", minute="0")},
    "detect": {"task": "upstream.detect_all", "schedule": crontab(hour="4", minute="0")},
    "quality": {"task": "upstream.sync_quality", "schedule": crontab(hour="3", minute="0")},
    "reports": {"task": "upstream.write_reports", "schedule": crontab(hour="5", minute="0", day_of_week="1")},
}
UPSTREAM_JOB_LEASE_SECONDS = _env.number("UPSTREAM_JOB_LEASE_SECONDS", 60)
"""How long an attempt at a job is taken to be alive after it was last heard of."""
UPSTREAM_RESEND_SECONDS = _env.number("UPSTREAM_RESEND_SECONDS", 300)
"""How long a job waits before the broker is told of it again."""
UPSTREAM_RETRY_SECONDS = _env.number("UPSTREAM_RETRY_SECONDS", 10)
"""The longest wait before a job's second attempt; each further one is four times as long."""

UPSTREAM_MAX_UPLOAD_BYTES = _env.integer("UPSTREAM_MAX_UPLOAD_BYTES", 512 * 1024 * 1024)
UPSTREAM_DETECT_AFTER_INGESTION = _env.boolean("UPSTREAM_DETECT_AFTER_INGESTION", True)
"""Whether a file of claims, once stored, has drift looked for; besides that of every night."""
UPSTREAM_ALERT_RECIPIENTS: list[str] = _env.words("UPSTREAM_ALERT_RECIPIENTS")
"""Who is told when a customer has no address of its own."""
UPSTREAM_ALERT_THRESHOLD = 0.4
"""The severity score (0 to 1) from which a drift event raises an alert."""
UPSTREAM_ALERT_COOLDOWN_HOURS = 24
"""How long an alert silences the next one on the same payer, drift type and subject."""
UPSTREAM_ALERT_NOISE_COUNT = 3
"""How many alerts on the same matter, none of them acknowledged, make the next one noise."""
UPSTREAM_ALERT_NOISE_DAYS = 14
"""How far back those alerts count."""
UPSTREAM_WEBHOOK_TIMEOUT = _env.number("UPSTREAM_WEBHOOK_TIMEOUT", 10)
"""Seconds that a webhook's receiver has to be connected to, and as many again to answer."""
UPSTREAM_WEBHOOK_ALLOW_PRIVATE = _env.boolean("UPSTREAM_WEBHOOK_ALLOW_PRIVATE", False)
"""Whether webhooks may go to private, loopback and link-local addresses, and by plain http."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["upstream.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["upstream.api.authentication.IsCustomer"],
    "DEFAULT_THROTTLE_CLASSES": ["upstream.api.throttling.Burst", "upstream.api.throttling.Sustained"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser", "rest_framework.parsers.FormParser"],
    "DEFAULT_PAGINATION_CLASS": "upstream.api.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "upstream.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
}
UPSTREAM_API_BURST = _env.rate("UPSTREAM_API_BURST", "300/minute")
"""How often a customer's programs may call the API, for a short while."""
UPSTREAM_API_SUSTAINED = _env.rate("UPSTREAM_API_SUSTAINED", "5000/hour")
"""How often they may in the long run."""
UPSTREAM_API_JOBS = _env.rate("UPSTREAM_API_JOBS", "60/hour")
"""How often they may ask for detection, or for a report."""
UPSTREAM_API_UPLOADS = _env.rate("UPSTREAM_API_UPLOADS", "120/hour")
"""How many files they may send."""
SPECTACULAR_SETTINGS = {
    "TITLE": "Upstream",
    "DESCRIPTION": "Claims come in, drift of payers is detected, alerts go out, reports are written.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "upstream.api.schema.add_refusals",
    ],
    "ENUM_NAME_OVERRIDES": {
        "AlertStatus": "upstream.models.alerts.Alert.Status",
        "BatchStatus": "upstream.models.claims.ClaimBatch.Status",
        "JobStatus": "upstream.models.jobs.Job.Status",
        "ReportStatus": "upstream.models.reports.Report.Status",
    },
}
