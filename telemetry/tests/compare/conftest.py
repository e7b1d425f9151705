"""One page of each stack, made at run time."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.tests.compare.pages import page


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page("django_prometheus", tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="session")
def theirs_multiprocess(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page("django_prometheus", tmp_path_factory.mktemp("multiprocess"), "multiprocess")


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page("telemetry", tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="session")
def ours_open(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page("telemetry", tmp_path_factory.mktemp("open"), "openmetrics")


@pytest.fixture
def old(theirs: str, tmp_path: Path) -> str:
    """The path of the page of django-prometheus."""
    (tmp_path / "old.txt").write_text(theirs)
    return str(tmp_path / "old.txt")


@pytest.fixture
def new(ours: str, tmp_path: Path) -> str:
    """The path of ours."""
    (tmp_path / "new.txt").write_text(ours)
    return str(tmp_path / "new.txt")
