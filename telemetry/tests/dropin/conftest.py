"""The pages of the sites, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.tests.dropin.sites import Pages, prepare


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Databases that a site may start from."""
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="package")
def pages(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(prepared, tmp_path_factory.mktemp)
