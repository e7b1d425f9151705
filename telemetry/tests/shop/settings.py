"""The shop alone, on SQLite in memory or on what `SHOP_DATABASE` holds (JSON, as in Django's `DATABASES`)."""

import json
import os

SECRET_KEY = "for tests only"
USE_TZ = True
INSTALLED_APPS = ["telemetry.tests.shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": json.loads(
        os.environ.get("SHOP_DATABASE", '{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}')
    )
}
