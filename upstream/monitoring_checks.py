"""The product's own checks: that it is watched as its operators expect. The ids are permanent."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from telemetry import business
from telemetry.checks import check_settings_module
from telemetry.conf import AFTER, BEFORE

TAG = "monitoring"
"""`manage.py check --tag monitoring` runs these alone."""

W001 = Warning(
    '"telemetry" is not in INSTALLED_APPS: nothing is counted and /metrics fails.',
    hint='Put "telemetry" into INSTALLED_APPS of upstream/settings/base.py.',
    id="upstream.W001",
)
W002 = Warning(
    f"The settings do not name {BEFORE} first and {AFTER} last in MIDDLEWARE.",
    hint="Name them in upstream/settings/base.py, so that whoever reads the settings sees what every request passes.",
    id="upstream.W002",
)


def middleware(written: Sequence[str]) -> list[CheckMessage]:
    """W002 where the settings, as they are written, leave the places of the two to the telemetry app."""
    return [] if written and (written[0], written[-1]) == (BEFORE, AFTER) else [W002]


def unregistered(families: Sequence[str]) -> list[CheckMessage]:
    """W003 where these families of the product have no instrument yet."""
    if not families:
        return []
    return [
        Warning(
            f"Business metrics that are not registered stay off /metrics: {', '.join(sorted(families))}.",
            hint='Put "upstream" into INSTALLED_APPS; its AppConfig.ready imports upstream.metrics, which makes them.',
            id="upstream.W003",
        )
    ]


@register(TAG)
def check_app(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The telemetry app is installed."""
    return [] if apps.is_installed("telemetry") else [W001]


@register(TAG)
def check_middleware(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The middlewares as the settings' file has them: the telemetry app may have moved ours since."""
    written = sys.modules.get(os.environ.get("DJANGO_SETTINGS_MODULE", ""))
    return middleware(getattr(written, "MIDDLEWARE", settings.MIDDLEWARE))


@register(TAG)
def check_business_metrics(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every declared family has its instrument."""
    return unregistered([each.family.name for each in business.measures().values() if not each.registered])


# Here too, because it can only fire where the settings that name the telemetry app were not read.
register(check_settings_module, TAG)
