"""The product as a developer runs it, with a cache of its own."""

import os

from upstream.settings.dev import *  # noqa: F403

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": os.environ["UPSTREAM_TEST_CACHE"],
    }
}
