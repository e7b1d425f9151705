"""The endpoint, as a scraper sees it."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.test import AsyncClient, Client, override_settings
from django.urls import reverse
from prometheus_client import REGISTRY, Counter, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from telemetry import runtime
from telemetry.errors import ConfigurationError
from telemetry.tests.business.harness import FAMILIES
from telemetry.tests.servers.harness import CHECKOUT, parse, total

PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"


class TestEndpoint:
    def test_its_name_and_path(self) -> None:
        assert "/metrics" == reverse("prometheus-django-metrics")

    def test_text_without_an_accept_header(self, client: Client) -> None:
        response = client.get("/metrics")
        assert 200 == response.status_code
        assert "text/plain; version=0.0.4; charset=utf-8" == response["Content-Type"]
        assert "Accept, Accept-Encoding" == response["Vary"]
        assert "no-store" in response["Cache-Control"]
        assert len(parse(response.content.decode())) > 30

    def test_openmetrics_where_it_is_asked_for(self, client: Client) -> None:
        response = client.get("/metrics", headers={"Accept": PROMETHEUS})
        assert "application/openmetrics-text; version=1.0.0; charset=utf-8" == response["Content-Type"]
        assert response.content.endswith(b"# EOF\n")
        families = openmetrics(response.content.decode())  # type: ignore[no-untyped-call]
        assert len(list(families)) > 30

    def test_gzip_where_it_is_accepted(self, client: Client) -> None:
        response = client.get("/metrics", headers={"Accept-Encoding": "gzip"})
        assert "gzip" == response["Content-Encoding"]
        assert gzip.decompress(response.content).startswith(b"# HELP ")
        assert "Content-Encoding" not in client.get("/metrics", headers={"Accept-Encoding": "gzip;q=0"})

    @pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
    def test_any_method_is_answered(self, client: Client, method: str) -> None:
        assert 200 == client.generic(method, "/metrics").status_code

    def test_from_an_async_stack(self) -> None:
        assert 200 == asyncio.run(AsyncClient().get("/metrics")).status_code

    def test_a_scrape_asks_no_database(self, client: Client) -> None:
        """No `db` mark: pytest-django fails the test where anything connects."""
        with pytest.raises(RuntimeError, match="Database access not allowed"):
            client.get("/api/v1/batches/", headers={"Authorization": "Token x"})
        assert 200 == client.get("/metrics").status_code

    def test_a_scrape_counts_as_a_request(self, client: Client) -> None:
        def scrapes() -> float:
            name = "django_http_responses_total_by_status_view_method_total"
            return total(parse(client.get("/metrics").content.decode()), name, view="prometheus-django-metrics")

        before = scrapes()
        assert before + 1 == scrapes()

    def test_the_users_own_metrics_are_shown_once_beside_ours(self, client: Client) -> None:
        mine = Counter("users_own", "A metric that the project registered itself.", ["kind"])
        try:
            mine.labels("a").inc(3)
            page = client.get("/metrics").content.decode()
        finally:
            REGISTRY.unregister(mine)
        assert 3 == total(parse(page), "users_own_total", kind="a")
        types = [line for line in page.splitlines() if line.startswith("# TYPE ")]
        assert len(types) == len(set(types))
        assert 1 == page.count("# TYPE process_cpu_seconds_total ")

    def test_the_clients_registry_shows_our_families_too(self, client: Client) -> None:
        client.get("/")
        page = generate_latest(REGISTRY).decode()
        assert "# TYPE django_http_requests_total_by_method_total counter\n" in page
        assert 'django_http_requests_total_by_method_total{method="GET"}' in page


class TestOwnCosts:
    def test_a_page_tells_what_the_ones_before_it_took(self, client: Client) -> None:
        def seen() -> tuple[float, float]:
            samples = parse(client.get("/metrics").content.decode())
            scrapes = total(samples, "telemetry_scrape_duration_seconds_count")
            assert total(samples, "telemetry_scrape_duration_seconds_sum") > total(
                samples, "telemetry_store_read_duration_seconds_sum"
            )
            return scrapes, total(samples, "telemetry_store_read_duration_seconds_count")

        client.get("/metrics")
        (scrapes, reads), after = seen(), seen()
        assert (scrapes + 1, reads + 1) == after

    def test_it_tells_how_many_series_each_family_has(self, client: Client) -> None:
        client.post("/")
        samples = parse(client.get("/metrics").content.decode())
        methods = sum(name == "django_http_requests_total_by_method_total" for name, _ in samples)
        counted = total(samples, "telemetry_series", family="django_http_requests_total_by_method_total")
        assert methods == counted > 0


class TestFailures:
    @pytest.mark.parametrize(
        ("part", "name", "left"),
        [
            ("_instruments.evaluate_all", "scrape.projections", "upstream_"),
            ("families", "scrape.instruments", "django_http_"),
            ("_instruments.own", "scrape.own", "django_http_"),
        ],
    )
    def test_a_part_that_fails_does_not_cost_the_page(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, part: str, name: str, left: str
    ) -> None:
        before = total(parse(client.get("/metrics").content.decode()), "telemetry_dropped_total", reason=name)
        with monkeypatch.context() as broken:
            broken.setattr(f"telemetry.runtime.{part}", None)
            response = client.get("/metrics")
        assert 200 == response.status_code
        assert f"# TYPE {left}" in response.content.decode()
        after = total(parse(client.get("/metrics").content.decode()), "telemetry_dropped_total", reason=name)
        assert before + 1 == after


class TestPublisher:
    def test_keeps_no_connection_to_a_database(self, tmp_path: Path) -> None:
        script = (
            "import threading\nfrom django.db import connection\nfrom django.test import Client\n"
            "from opentelemetry import metrics\n"
            "runtime._publisher.SECONDS = 0.01\nclosed, asked = [], threading.Event()\n"
            "def tell(options):\n"
            "    closed.append(connection.connection is None)\n"
            "    with connection.cursor() as cursor:\n        cursor.execute('SELECT 1')\n"
            "    if len(closed) == 3:\n        asked.set()\n"
            "    return []\n"
            "metrics.get_meter('m').create_observable_counter('c', [tell])\n"
            "Client().get('/ok')\nasked.wait(30)\nprint(closed[:3])"
        )
        assert "[True, True, True]" == alone(script, TEST_DATABASE=str(tmp_path / "db")).stdout.strip()

    def test_makes_a_file_anew_that_was_taken_away(self, tmp_path: Path) -> None:
        script = (
            "import os, shutil, time\nfrom django.test import Client\n"
            "runtime._publisher.SECONDS = 0.01\nClient().get('/ok')\n"
            "store = os.environ['TELEMETRY_STORE_DIR']\nshutil.rmtree(store)\nend = time.monotonic() + 30\n"
            "while not os.path.exists(store + '/seg-1-1') and time.monotonic() < end:\n    time.sleep(0.01)\n"
            "print(sorted(os.listdir(store)))"
        )
        store = str(tmp_path / "store")
        assert "['lock', 'seg-1-1', 'total']" == alone(script, TELEMETRY_STORE_DIR=store).stdout.strip()

    def test_there_is_none_in_a_test_run(self) -> None:
        script = (
            "import threading\nfrom django.test import Client\nClient().get('/ok')\nprint(threading.active_count())"
        )
        argv = "import sys; sys.argv[1:] = ['test']"
        assert "1" == alone(script, settings=argv, TELEMETRY_STORE_DIR="").stdout.strip()


class TestFamiliesWithoutData:
    def test_help_type_and_zeros_before_the_first_request(self) -> None:
        page = alone("print(runtime.get().scrape().body.decode())").stdout
        for line in (
            "# TYPE django_http_requests_total_by_method_total counter",
            "# TYPE django_http_requests_latency_seconds_by_view_method histogram",
            "# TYPE django_db_errors_total counter",
            "# TYPE http_server_request_duration_seconds histogram",
            "# TYPE db_client_operation_duration_seconds histogram",
            "django_http_requests_before_middlewares_total 0.0",
            "django_http_requests_unknown_latency_total 0.0",
            "django_http_ajax_requests_total 0.0",
            "django_http_responses_streaming_total 0.0",
        ):
            assert line in page.splitlines()

    def test_business_families_only_where_upstream_is_installed(self, client: Client) -> None:
        ours = client.get("/metrics").content.decode()
        # Other tests may have declared more.
        assert 24 == len(FAMILIES)
        assert FAMILIES.keys() <= {line.split()[2] for line in ours.splitlines() if line.startswith("# TYPE upstream_")}
        assert "upstream_" not in alone("print(runtime.get().scrape().body.decode())").stdout


class TestSwitches:
    def test_sdk_disabled_gives_an_empty_page(self) -> None:
        done = alone(
            "from django.test import Client\n"
            "assert Client().get('/ok').status_code == 200\n"
            "page = Client().get('/metrics')\n"
            "print(page.status_code, page.content)",
            OTEL_SDK_DISABLED="true",
        )
        assert "200 b''" == done.stdout.strip()

    def test_scrapes_can_be_left_out(self) -> None:
        done = alone(
            "from django.test import Client\n"
            "[Client().get(path) for path in ('/ok', '/metrics', '/metrics')]\n"
            "print(Client().get('/metrics').content.decode())",
            settings="TELEMETRY_COUNT_SCRAPES = False",
        )
        assert 1 == total(parse(done.stdout), "django_http_requests_total_by_method_total")

    def test_nothing_is_made_before_the_first_record(self, tmp_path: Path) -> None:
        store = tmp_path / "store"
        script = (
            "import os, threading\n"
            f"print(os.path.exists({str(store)!r}), threading.active_count())\n"
            "from django.test import Client\n"
            "Client().get('/ok')\n"
            f"print(os.path.exists({str(store)!r}), [t.name for t in threading.enumerate()][1:])\n"
        )
        lines = alone(script, TELEMETRY_STORE_DIR=str(store)).stdout.splitlines()
        assert ["False 1", "True ['telemetry-publisher']"] == lines

    def test_nothing_is_left_by_a_process_that_records_nothing(self, tmp_path: Path) -> None:
        store = tmp_path / "store"
        alone("", TELEMETRY_STORE_DIR=str(store))
        assert not store.exists()

    def test_what_only_a_process_can_observe_outlives_it(self, tmp_path: Path) -> None:
        script = (
            "from opentelemetry import metrics\n"
            "tell = lambda options: [metrics.Observation(7)]\n"
            "metrics.get_meter('m').create_observable_counter('own.jobs', [tell])\n"
        )
        with store_of(tmp_path / "store") as store:
            alone(script, TELEMETRY_STORE_DIR=str(store))
            page = alone("print(runtime.get().scrape().body.decode())", TELEMETRY_STORE_DIR=str(store)).stdout
        assert 7 == total(parse(page), "own_jobs_total")

    def test_no_spans_and_no_exporter_without_a_variable(self) -> None:
        script = (
            "from opentelemetry import trace\nfrom telemetry import conf\n"
            "print(type(trace.get_tracer_provider()).__name__, [m for m in conf.get_middleware() if 'span' in m])"
        )
        assert "ProxyTracerProvider []" == alone(script).stdout.strip()


class TestMiddlewareSetting:
    def test_ours_are_put_first_and_last(self) -> None:
        script = "from telemetry import conf\nmiddleware = conf.get_middleware()\nprint(middleware[0], middleware[-1])"
        assert (
            "telemetry.middleware.PrometheusBeforeMiddleware telemetry.middleware.PrometheusAfterMiddleware"
            == alone(script).stdout.strip()
        )

    def test_ready_again_changes_nothing(self) -> None:
        given = ["telemetry.middleware.PrometheusAfterMiddleware", "telemetry.middleware.PrometheusBeforeMiddleware"]
        with override_settings(MIDDLEWARE=given):
            from django.conf import settings

            runtime.get().place_middleware()
            assert given == settings.MIDDLEWARE
            settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
            runtime.get().place_middleware()
            runtime.get().place_middleware()
            assert 3 == len(settings.MIDDLEWARE)

    def test_the_app_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runtime, "_runtime", None)
        with pytest.raises(ConfigurationError, match="INSTALLED_APPS"):
            runtime.get()


@contextmanager
def store_of(directory: Path) -> Iterator[Path]:
    """A store's directory whose generation goes on for as long as this lasts."""
    from telemetry.store import open_store

    held = open_store((), directory)
    held.attach()
    try:
        yield directory
    finally:
        held.close()


def alone(script: str, settings: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, on the test project and the given settings beside it."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "PYTEST_", "TELEMETRY_", "DJANGO_"))}
    module = f"exec({settings!r}, vars(settings_module))\n" if settings else ""
    setup = (
        "import sys, tempfile, os\n"
        "temporary = tempfile.TemporaryDirectory()\n"
        "os.environ.setdefault('TELEMETRY_STORE_DIR', temporary.name)\n"
        "import telemetry.tests.project.settings as settings_module\n"
        f"{module}import django\ndjango.setup()\nfrom telemetry import runtime\n"
    )
    clean |= {"PYTHONPATH": str(CHECKOUT), "DJANGO_SETTINGS_MODULE": "telemetry.tests.project.settings", **environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", setup + script], env=clean, capture_output=True, text=True, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    return done
