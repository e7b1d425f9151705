"""The parts of django-prometheus for databases, and ours in their place: the same page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from telemetry.compat.django_prometheus.db.common import DatabaseWrapperMixin
from telemetry.tests.compat.databases import ORIGINAL, OURS


def replay(package: str, directory: Path) -> Any:
    directory.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TEST_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "telemetry.tests.compat.databases", package, str(directory)],
        env={**environ, "TELEMETRY_STORE_DIR": str(directory / "store")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


class TestDatabases:
    def test_the_page_is_the_same(self, tmp_path: Path) -> None:
        original, ours = (replay(package, tmp_path / package) for package in (ORIGINAL, OURS))
        assert len(original["page"]) == 7
        assert "django_db_execute_total[('alias', 'mixin'), ('vendor', 'sqlite')]" in str(original["page"])
        assert original == ours


class TestGeoDjango:
    """GDAL is not needed to see what these engines are; a stand-in is enough."""

    @pytest.mark.parametrize("name", ["postgis", "spatialite"])
    def test_is_the_engine_itself(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        package = f"django.contrib.gis.db.backends.{name}"
        base, features = ModuleType("base"), ModuleType("features")

        class DatabaseWrapper:
            pass

        base.DatabaseWrapper, features.DatabaseFeatures = DatabaseWrapper, object()  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"{package}.base", base)
        monkeypatch.setitem(sys.modules, f"{package}.features", features)
        ours = f"{OURS}.db.backends.{name}.base"
        monkeypatch.delitem(sys.modules, ours, raising=False)
        engine = import_module(ours)
        monkeypatch.delitem(sys.modules, ours)
        assert issubclass(engine.DatabaseWrapper, DatabaseWrapper)
        assert issubclass(engine.DatabaseWrapper, DatabaseWrapperMixin)
        if name == "spatialite":
            assert features.DatabaseFeatures is engine.DatabaseFeatures
