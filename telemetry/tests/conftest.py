"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from telemetry.tests.prometheus.live import prometheus  # noqa: F401 - a fixture for every test below


class NoSkip:
    """Turns every skip into a failure: where everything can be installed, a skipped test proves nothing."""

    @staticmethod
    def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            report.outcome = "failed"
            report.longrepr = f"skipped, which CI does not allow: {reason}"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._refuse(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        self._refuse(report)
        return report


def pytest_configure(config: pytest.Config) -> None:
    # Registered as a plugin, so that it holds for the product's tests too.
    if os.environ.get("CI"):
        config.pluginmanager.register(NoSkip(), "no-skip")


@pytest.fixture(autouse=True, scope="session")
def store_of_child_processes(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """What a test starts without saying where its store is leaves nothing behind on the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELEMETRY_STORE_DIR", str(tmp_path_factory.mktemp("store")))
        yield
