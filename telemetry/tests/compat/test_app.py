"""A project in whose settings only the name was replaced, and the small modules of the old name."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.urls import include, path, reverse

from telemetry import conf, views
from telemetry.catalogue.buckets import SIZE
from telemetry.compat.django_prometheus import utils
from telemetry.tests.compat.originals import ask

urlpatterns = [path("prometheus/", include("telemetry.compat.django_prometheus.urls"))]

_PROJECT = """
import json, sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=json.loads(sys.argv[1]),
    MIDDLEWARE=sys.argv[2:],
    ROOT_URLCONF="telemetry.tests.compat.test_app",
    ALLOWED_HOSTS=["*"],
)
django.setup()
from django.core.checks import run_checks
from django.test import Client
client = Client()
assert client.get("/nowhere").status_code == 404
page = client.get("/prometheus/metrics").content.decode()
print(json.dumps([
    [message.id for message in run_checks()],
    settings.MIDDLEWARE,
    [line for line in page.splitlines() if line.startswith("django_http_responses_total_by_status_total")],
]))
"""


class TestApp:
    @pytest.mark.parametrize(
        ("installed", "warned"),
        [
            (["telemetry.compat.django_prometheus"], ["telemetry.W013"]),
            (["telemetry", "telemetry.compat.django_prometheus"], []),
            (["telemetry.compat.django_prometheus", "telemetry"], []),
        ],
    )
    def test_starts_what_telemetry_starts_and_once(
        self, installed: list[str], warned: list[str], tmp_path: Path
    ) -> None:
        messages, middleware, samples = project(tmp_path, installed)
        assert warned == messages
        assert ["PrometheusBeforeMiddleware", "PrometheusAfterMiddleware"] == [p.split(".")[-1] for p in middleware]
        assert ['django_http_responses_total_by_status_total{status="404"} 1.0'] == samples

    def test_middlewares_that_are_named_stay_the_only_ones(self, tmp_path: Path) -> None:
        names = [conf.COMPAT_BEFORE, "django.middleware.common.CommonMiddleware", conf.COMPAT_AFTER]
        _, middleware, samples = project(tmp_path, ["telemetry"], *names)
        assert names == middleware
        assert ['django_http_responses_total_by_status_total{status="404"} 1.0'] == samples


def project(store: Path, installed: list[str], *middleware: str) -> Any:
    """The ids of its checks' messages, its middlewares and what it has counted of one request."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "OTEL_"))}
    environ["TELEMETRY_STORE_DIR"] = str(store)
    command = [sys.executable, "-c", _PROJECT, json.dumps(installed), *middleware]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


class TestUrls:
    def test_the_endpoint_has_its_name_and_path(self) -> None:
        assert "/prometheus/metrics" == reverse("prometheus-django-metrics", urlconf=__name__)
        from telemetry.compat.django_prometheus import urls

        assert [views.metrics] == [pattern.callback for pattern in urls.urlpatterns]


class TestUtils:
    def test_powers_are_those_of_the_original(self) -> None:
        calls = ["(2, 30)", "(2, 3, lower=2)", "(10, 3, include_zero=False)", "(2, 2, -1, False)"]
        expected = ask(
            f"from django_prometheus.utils import PowersOf\nfound = [{', '.join('PowersOf' + c for c in calls)}]"
        )
        assert expected == [eval(f"utils.PowersOf{call}") for call in calls]
        assert list(SIZE) == utils.PowersOf(2, 30)

    def test_time_goes_on(self) -> None:
        since = utils.TimeSince(utils.Time())
        assert 0 <= since
        assert ["t"] == [*inspect.signature(utils.TimeSince).parameters]


class TestConf:
    SCRIPT = """
from django.conf import settings
from {package} import conf
before = [conf.NAMESPACE, list(map(str, conf.PROMETHEUS_LATENCY_BUCKETS))]
settings.configure(PROMETHEUS_METRIC_NAMESPACE="corp", PROMETHEUS_LATENCY_BUCKETS=(0.5, 1.0, float("inf")))
from {package}.conf import NAMESPACE, PROMETHEUS_LATENCY_BUCKETS
found = [before, NAMESPACE, list(map(str, PROMETHEUS_LATENCY_BUCKETS))]
"""

    def test_has_the_defaults_before_and_the_settings_after(self) -> None:
        ours = ask(self.SCRIPT.format(package="telemetry.compat.django_prometheus"))
        assert ["corp", ["0.5", "1.0", "inf"]] == ours[1:]
        theirs = ask(
            "from importlib.util import find_spec\nfrom pathlib import Path\n"
            'place = Path(find_spec("django_prometheus").origin).with_name("conf") / "__init__.py"\n'
            "module = {}\nexec(place.read_text(), module)\n"
            'found = [module["NAMESPACE"], list(map(str, module["PROMETHEUS_LATENCY_BUCKETS"]))]'
        )
        assert theirs == ours[0]

    def test_has_nothing_else(self) -> None:
        from telemetry.compat.django_prometheus import conf

        with pytest.raises(AttributeError, match="NAMESPACES"):
            getattr(conf, "NAMESPACES")  # noqa: B009
