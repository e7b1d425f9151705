"""Who watches the shop: `DROPIN_STACK`.

- `django_prometheus`: everything that its documentation asks for.
- `compat`: the same site after a search for `django_prometheus` and a replacement by ours.
- `telemetry`: a site without a trace of either, and our app.
- `bare`: nobody.
"""

from __future__ import annotations

import os
from importlib import import_module

STACK = os.environ.get("DROPIN_STACK", "bare")
PACKAGE = {"django_prometheus": "django_prometheus", "compat": "telemetry.compat.django_prometheus"}.get(STACK)
"""The package whose names the site's settings, models and URLs use; None where they use none."""


def counted(name: str) -> tuple[type, ...]:
    """The bases of a model whose operations are counted under this name."""
    return (import_module(f"{PACKAGE}.models").ExportModelOperationsMixin(name),) if PACKAGE else ()


def instead_of(django: str, package: str) -> str:
    """A dotted path of Django's, or the one within the package that watches, where one does."""
    return f"{PACKAGE}.{package}" if PACKAGE else django
