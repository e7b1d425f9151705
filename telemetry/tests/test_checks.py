"""Each check fires on what it is there for, and on nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.checks import CheckMessage, Warning, registry
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path, re_path
from django.views.decorators.http import require_safe
from opentelemetry import trace

from telemetry import checks, conf, runtime, views
from telemetry.instrumentation.spans import STOCK
from telemetry.store import open_store
from telemetry.store.base import Store
from telemetry.tests.servers.harness import CHECKOUT

OURS = [conf.BEFORE, conf.AFTER]
COMMON = "django.middleware.common.CommonMiddleware"


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


def other(request: HttpRequest, rest: str = "") -> HttpResponse:
    return HttpResponse()


class TestRegistration:
    def test_the_app_registers_all_and_a_healthy_project_passes(self) -> None:
        always: list[Any] = registry.registry.get_checks()
        deploying: list[Any] = registry.registry.get_checks(include_deployment_checks=True)
        ours = {check for name, check in vars(checks).items() if name.startswith("check_")}
        assert ours - {checks.check_access} == ours & set(always)
        assert ours <= set(deploying)
        assert [] == registry.run_checks(tags=[checks.TAG])

    def test_messages_are_warnings_with_ids_of_their_own_and_hints(self) -> None:
        every = [*ids(list(samples())), *(constant.id for constant in constants())]
        assert [f"telemetry.W{number:03}" for number in range(1, 14)] == sorted(set(filter(None, every)))
        for message in (*samples(), *constants()):
            assert isinstance(message, Warning)
            assert message.hint


def constants() -> list[Warning]:
    return [value for name, value in vars(checks).items() if name.startswith("W0")]


def samples() -> Iterator[CheckMessage]:
    """One of each message that is made with a detail."""
    yield from checks.middleware([COMMON])
    yield from checks.middleware([*reversed(OURS)])
    with url_module(re_path("", other), path("metrics", views.metrics)) as module:
        yield from checks.urls(module.urlpatterns, module.__name__)
    yield from checks.store_directory(open_store((), "/dev/null/store"))
    yield from checks.serving_services(2)
    yield from checks.drivers({"default": "MySQLdb"}, frozenset())
    yield from checks.environment("/tmp/x", sdk_disabled=False)
    yield from checks.predecessor(["telemetry", "django_prometheus"], [], {}, {})


class TestMiddleware:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ([*OURS], []),
            ([conf.BEFORE, COMMON, conf.AFTER], []),
            ([conf.COMPAT_BEFORE, COMMON, conf.COMPAT_AFTER], []),
            ([COMMON, conf.COMPAT_BEFORE, conf.COMPAT_AFTER], ["telemetry.W002"]),
            ([COMMON], ["telemetry.W001", "telemetry.W001"]),
            ([], ["telemetry.W001", "telemetry.W001"]),
            ([conf.BEFORE, COMMON], ["telemetry.W001"]),
            ([COMMON, conf.BEFORE, conf.AFTER], ["telemetry.W002"]),
            ([conf.BEFORE, conf.AFTER, COMMON], ["telemetry.W002"]),
            ([conf.AFTER, conf.BEFORE], ["telemetry.W002", "telemetry.W002"]),
        ],
    )
    def test_missing_and_misplaced(self, given: list[str], expected: list[str]) -> None:
        assert expected == ids(checks.middleware(given))
        with override_settings(MIDDLEWARE=given):
            assert expected == ids(checks.check_middleware(None))

    def test_names_what_stands_in_the_way(self) -> None:
        (message,) = checks.middleware([COMMON, *OURS])
        assert f"{conf.BEFORE} is not the first of MIDDLEWARE, but {COMMON} is" in message.msg

    def test_says_nothing_where_nothing_records(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runtime.get(), "store", None)
        with override_settings(MIDDLEWARE=[COMMON]):
            assert [] == checks.check_middleware(None)


@contextmanager
def url_module(*patterns: Any) -> Iterator[ModuleType]:
    """A URLconf with these patterns."""
    module = ModuleType("urls_of_a_check")
    module.urlpatterns = [*patterns]  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        with override_settings(ROOT_URLCONF=module.__name__):
            yield module
    finally:
        del sys.modules[module.__name__]


def found_by(*patterns: Any) -> list[CheckMessage]:
    with url_module(*patterns):
        return checks.check_urls(None)


ENDPOINT = path("", include("telemetry.urls"))


class TestUrls:
    @pytest.mark.parametrize(
        "patterns",
        [
            [ENDPOINT],
            [path("other", other), ENDPOINT],
            [path("ops/", include(("telemetry.urls", "ops")))],
            [path("ops/", include([path("numbers", views.metrics)]))],
            [path("metrics", require_safe(views.metrics))],
            [ENDPOINT, re_path("", other)],
            [path("<slug:tenant>/metrics", views.metrics), path("<slug:tenant>/x", other)],
            [re_path(r"^metrics$", views.metrics)],
        ],
    )
    def test_a_way_to_the_metrics(self, patterns: list[Any]) -> None:
        assert [] == found_by(*patterns)

    @pytest.mark.parametrize("patterns", [[], [path("metrics", other, name="prometheus-django-metrics")]])
    def test_none(self, patterns: list[Any]) -> None:
        assert [checks.W003] == found_by(*patterns)

    @pytest.mark.parametrize(
        ("patterns", "shown"),
        [
            ([re_path(r"^.*$", other), ENDPOINT], "/metrics"),
            ([path("<path:rest>", other), ENDPOINT], "/metrics"),
            ([path("metrics", other), ENDPOINT], "/metrics"),
            ([path("ops/<path:rest>", other), path("ops/", include(("telemetry.urls", "ops")))], "/ops/metrics"),
            ([path("numbers", other), path("numbers", views.metrics)], "/numbers"),
        ],
    )
    def test_an_earlier_pattern_takes_its_path(self, patterns: list[Any], shown: str) -> None:
        (message,) = found_by(*patterns)
        assert "telemetry.W004" == message.id
        assert message.msg.startswith(f"{shown} does not reach the metrics: ")
        assert f"leads to {__name__}.other" in message.msg

    def test_under_a_script_name(self) -> None:
        from django.urls import set_script_prefix

        set_script_prefix("/app/")
        try:
            assert [] == found_by(ENDPOINT)
            (message,) = found_by(path("metrics", other), ENDPOINT)
        finally:
            set_script_prefix("/")
        assert message.msg.startswith("/app/metrics ")

    def test_a_project_without_urls(self) -> None:
        with override_settings(ROOT_URLCONF=None):
            assert [] == checks.check_urls(None) == checks.check_access(None)


class TestStore:
    def test_a_directory_that_can_be_had_is_not_made(self, tmp_path: Path) -> None:
        place = tmp_path / "a" / "store"
        assert [] == checks.store_directory(open_store((), place))
        assert [] == list(tmp_path.iterdir())

    def test_agrees_with_the_store_that_is_used(self, tmp_path: Path) -> None:
        used = open_store((), tmp_path / "store")
        used.serve()
        try:
            assert "" == used.degraded
            assert [] == checks.store_directory(used)
            assert 1 == used.read().serving_anchors
        finally:
            used.close()

    @pytest.mark.parametrize(
        ("place", "said"),
        [
            ("file", "it is not a directory"),
            ("file/store", "it is not a directory"),
            ("closed", "may not write there"),
            ("closed/store", "may not write there"),
            ("foreign", "may not write there"),
        ],
    )
    def test_one_that_cannot_be_had(
        self, place: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "closed").mkdir()
        (tmp_path / "foreign").mkdir()
        (tmp_path / "foreign" / "lock").touch()
        refused = {tmp_path / "closed", tmp_path / "foreign" / "lock"}
        # what the system would say: modes do not bind a superuser, who may run the tests
        monkeypatch.setattr(os, "access", lambda asked, mode: Path(asked) not in refused)
        (message,) = checks.store_directory(open_store((), tmp_path / place))
        assert "telemetry.W005" == message.id
        assert said in message.msg
        assert str(tmp_path / place.split("/")[0]) in message.msg
        assert ["closed", "file", "foreign"] == sorted(each.name for each in tmp_path.iterdir())

    def test_a_network_file_system(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("telemetry.store.directory._file_system", lambda device: "nfs4")
        (message,) = checks.store_directory(open_store((), tmp_path / "store"))
        assert "it is on nfs4" in message.msg

    def test_memory_only(self) -> None:
        from telemetry.store import MemoryStore

        (message,) = checks.store_directory(MemoryStore("no file locks here"))
        assert "telemetry.W005" == message.id
        assert "no file locks here" in message.msg

    @pytest.mark.parametrize(("services", "expected"), [(0, []), (1, []), (2, ["telemetry.W006"])])
    def test_services(self, services: int, expected: list[str]) -> None:
        assert expected == ids(checks.serving_services(services))

    def test_two_services_that_serve_from_one_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        ours: Store = open_store((), tmp_path / "store")
        monkeypatch.setattr(runtime.get(), "store", ours)
        serving = [serve(tmp_path / "store") for _ in range(2)]
        try:
            assert ["telemetry.W006"] == ids(checks.check_store(None))
            stop(serving.pop())
            assert [] == checks.check_store(None)
        finally:
            for process in serving:
                stop(process)
            ours.close()


def serve(store: Path) -> subprocess.Popen[str]:
    """A process that answers scrapes from the store until its input ends; each is a service for itself."""
    script = (
        f"from telemetry.store import open_store\nopen_store((), {str(store)!r}).serve()\nprint(flush=True)\ninput()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert "\n" == process.stdout.readline()
    return process


def stop(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=30)


class TestAccess:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({}, [checks.W007]),
            ({"TELEMETRY_METRICS_TOKEN": "", "TELEMETRY_METRICS_ALLOWED_NETWORKS": []}, [checks.W007]),
            ({"TELEMETRY_METRICS_TOKEN": "secret"}, []),
            ({"TELEMETRY_METRICS_ALLOWED_NETWORKS": ["10.0.0.0/8"]}, []),
        ],
    )
    def test_open_or_closed(self, given: dict[str, Any], expected: list[Warning]) -> None:
        with url_module(ENDPOINT) as module, override_settings(**given):
            assert expected == checks.access(conf.load({}), module.urlpatterns)

    def test_a_view_that_the_project_wraps_is_its_own_affair(self) -> None:
        with url_module(path("metrics", require_safe(views.metrics))) as module:
            assert [] == checks.access(conf.load({}), module.urlpatterns)

    def test_the_registered_one(self) -> None:
        with url_module(ENDPOINT):
            assert [checks.W007] == checks.check_access(None)
        with url_module():
            assert [] == checks.check_access(None)


class TestPrivacyOfSpans:
    def test_each_that_sees_spans_as_they_are(self) -> None:
        found = checks.privacy_of_spans(["vendor.Processor"], ["django"])
        assert ["telemetry.W014", "telemetry.W015"] == ids(found)
        assert ["vendor.Processor", "opentelemetry-instrumentation-django"] == [
            next(name for name in ("vendor.Processor", "opentelemetry-instrumentation-django") if name in message.msg)
            for message in found
        ]

    def test_as_the_process_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert [] == checks.check_privacy_of_spans(None)
        monkeypatch.setattr(runtime.get(), "uncleaned", ["vendor.Processor"])
        with override_settings(MIDDLEWARE=[*OURS, STOCK]):
            assert ["telemetry.W014", "telemetry.W015"] == ids(checks.check_privacy_of_spans(None))


class TestDrivers:
    @pytest.mark.parametrize(
        ("used", "disabled", "expected"),
        [
            ({"default": "sqlite3"}, set(), []),
            ({"default": "psycopg2"}, set(), ["'default'"]),
            ({"default": "psycopg2", "archive": "psycopg"}, {"psycopg2"}, ["'archive'"]),
            ({"default": "MySQLdb"}, set(), ["'default'"]),
            ({"default": "MySQLdb"}, {"MySQLdb"}, []),
            ({"default": "psycopg2"}, {"*"}, []),
        ],
    )
    def test_without_instrumentation(self, used: dict[str, str], disabled: set[str], expected: list[str]) -> None:
        found = checks.drivers(used, frozenset(disabled), installed=lambda driver: driver == "sqlite3")
        assert ["telemetry.W008"] * len(expected) == ids(found)
        assert all(alias in message.msg for alias, message in zip(expected, found, strict=True))

    def test_what_is_installed_is_found(self) -> None:
        assert [] == checks.drivers({"default": "sqlite3"}, frozenset())
        assert checks._instrumentation_installed("psycopg2")
        assert not checks._instrumentation_installed("no_such_driver")

    def test_the_driver_in_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from django.db import connection

        driver = connection.Database.__name__.partition(".")[0]  # type: ignore[attr-defined]
        monkeypatch.setattr(checks, "_instrumentation_installed", lambda driver: False)
        assert [] == checks.check_drivers(None)  # no spans, nothing to miss
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: object())
        (message,) = checks.check_drivers(None)
        assert f"{driver} is not instrumented" in message.msg


class TestEnvironment:
    def test_nothing_set(self) -> None:
        assert [] == checks.environment(None, sdk_disabled=False)

    @pytest.mark.parametrize("name", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
    def test_the_other_multi_process_mode(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        assert [] == checks.check_environment(None)
        monkeypatch.setenv(name, "/run/metrics")
        (message,) = checks.check_environment(None)
        assert "telemetry.W009" == message.id
        assert "'/run/metrics'" in message.msg

    def test_sdk_disabled(self) -> None:
        assert [checks.W010] == checks.environment(None, sdk_disabled=True)


class TestPredecessor:
    ITS = "django_prometheus.middleware.PrometheusBeforeMiddleware"
    ENGINE = "django_prometheus.db.backends.sqlite3"
    CACHE = "django_prometheus.cache.backends.locmem.LocMemCache"

    @pytest.mark.parametrize(
        ("given", "places"),
        [
            (([], [], {}, {}), []),
            ((["django_prometheus.apps"], [], {}, {}), ["INSTALLED_APPS"]),
            (([], [COMMON, ITS], {}, {}), ["MIDDLEWARE"]),
            (([], [], {"default": ENGINE, "other": "sqlite3"}, {}), ["DATABASES['default']"]),
            (([], [], {}, {"default": CACHE, "other": "locmem"}), ["CACHES['default']"]),
            (
                (["django_prometheus"], [ITS], {"a": ENGINE}, {"b": CACHE}),
                ["INSTALLED_APPS", "MIDDLEWARE", "DATABASES['a']", "CACHES['b']"],
            ),
            ((["django_prometheus_extras"], ["our.django_prometheus.X"], {}, {}), []),
        ],
    )
    def test_where_it_still_counts(self, given: Any, places: list[str]) -> None:
        installed, *others = given
        found = checks.predecessor(["telemetry", *installed], *others)
        assert (["telemetry.W012"] if places else []) == ids(found)
        assert all(f" {', '.join(places)}." in message.msg for message in found)

    @pytest.mark.parametrize(
        ("apps", "expected"),
        [
            (["telemetry"], []),
            (["telemetry", checks.COMPAT], []),
            ([checks.COMPAT], [checks.W013]),
        ],
    )
    def test_its_names_alone(self, apps: list[str], expected: list[Warning]) -> None:
        given = {"default": f"{checks.COMPAT}.db.backends.sqlite3"}
        assert expected == checks.predecessor(apps, [f"{checks.COMPAT}.middleware.X"], given, given)

    def test_the_registered_one_reads_the_settings(self) -> None:
        assert [] == checks.check_predecessor(None)
        with override_settings(MIDDLEWARE=[*OURS, self.ITS]):
            (message,) = checks.check_predecessor(None)
        assert "MIDDLEWARE" in message.msg
        with override_settings(CACHES={"default": {"BACKEND": self.CACHE}}):
            (message,) = checks.check_predecessor(None)
        assert "CACHES['default']" in message.msg


class TestCommand:
    """`manage.py check` on the test project, in a process of its own."""

    def test_quiet_by_itself_and_leaves_nothing(self, tmp_path: Path) -> None:
        said = check(TELEMETRY_STORE_DIR=str(tmp_path / "store"))
        assert "System check identified no issues (0 silenced).\n" == said
        assert [] == list(tmp_path.iterdir())

    def test_what_the_environment_brings(self, tmp_path: Path) -> None:
        (tmp_path / "taken").touch()
        said = check(
            "--deploy",
            PROMETHEUS_MULTIPROC_DIR=str(tmp_path),
            TELEMETRY_STORE_DIR=str(tmp_path / "taken"),
        )
        assert {"telemetry.W005", "telemetry.W007", "telemetry.W009"} == {
            word.strip("?:()") for word in said.split() if "telemetry.W" in word
        }
        assert "telemetry.W010" in check(OTEL_SDK_DISABLED="true")

    def test_settings_that_opentelemetry_instrument_emptied(self) -> None:
        command = (str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable, "manage.py")
        quiet = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
        assert "telemetry.W011" in check(command=command, DJANGO_SETTINGS_MODULE="", **quiet)
        assert "telemetry.W011" not in check(command=command, DJANGO_SETTINGS_MODULE="upstream.settings.dev", **quiet)

    def test_all_are_in_the_readme(self) -> None:
        ids = set(re.findall(r'"telemetry\.(W\d+)"', Path(checks.__file__).read_text()))
        told = set(re.findall(r"`(?:telemetry\.)?(W\d+)`", (CHECKOUT / "README.md").read_text()))
        assert 15 <= len(ids)
        assert set() == ids - told


def check(*options: str, command: tuple[str, ...] = (sys.executable, "-m", "django"), **environ: str) -> str:
    clean = {
        k: v for k, v in os.environ.items() if not k.upper().startswith(("OTEL_", "PYTEST_", "TELEMETRY_", "DJANGO_"))
    }
    clean |= {"PYTHONPATH": str(CHECKOUT), "DJANGO_SETTINGS_MODULE": "telemetry.tests.project.settings", **environ}
    if not clean["DJANGO_SETTINGS_MODULE"]:
        del clean["DJANGO_SETTINGS_MODULE"]
    done = subprocess.run(
        [*command, "check", *options], cwd=CHECKOUT, env=clean, capture_output=True, text=True, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout + done.stderr
