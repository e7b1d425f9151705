"""The shop alone, on SQLite in memory."""

SECRET_KEY = "for tests only"
USE_TZ = True
INSTALLED_APPS = ["telemetry.tests.shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
