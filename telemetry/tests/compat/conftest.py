"""A place of their own for the metrics that a test makes."""

from __future__ import annotations

import pytest

from telemetry.compat.django_prometheus import _home
from telemetry.compat.django_prometheus._home import Home
from telemetry.store import MemoryStore


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Home:
    """Where everything under the old names records while the test runs."""
    own = Home(MemoryStore())
    monkeypatch.setattr(_home, "home", own)
    return own
