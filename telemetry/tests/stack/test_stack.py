"""`docs/stack`: its files name what exists, and agree with each other and with the code. No container is run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import get_commands
from opentelemetry.util.http import parse_excluded_urls

from telemetry.tests.prometheus import promtool
from telemetry.tests.servers.harness import CHECKOUT
from telemetry.tests.stack.files import (
    COMPOSE,
    DIRECTORY,
    SERVICES,
    environment,
    host_path,
    known_variables,
    mounts,
    read,
)

PRODUCT = ("setup", "token", "app", "worker", "schedule")
TRACED = ("app", "worker", "schedule")
# What an image listens on by itself; of the others their files say it.
_DEFAULT_PORTS = {"db": {5432}, "redis": {6379}, "jaeger": {4317, 16686}, "prometheus": {9090}, "grafana": {3000}}
_ADDRESSING = (
    "compose.yaml",
    "collector.yaml",
    "grafana/datasources/datasources.yaml",
    "../prometheus/prometheus.yml",
)


def listens() -> dict[str, set[int]]:
    """The ports of each service's container."""
    (bind,) = [word for word in SERVICES["app"]["command"] if word.startswith("--bind=")]
    protocols = read("collector.yaml")["receivers"]["otlp"]["protocols"].values()
    return _DEFAULT_PORTS | {
        "app": {int(bind.rpartition(":")[2])},
        "collector": {int(protocol["endpoint"].rpartition(":")[2]) for protocol in protocols},
    }


class TestCompose:
    @pytest.mark.parametrize("service", SERVICES)
    def test_images_are_pinned_and_what_is_mounted_is_there(self, service: str) -> None:
        described = SERVICES[service]
        assert "build" in described or re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)+", described["image"])
        for source, _ in mounts(service):
            if source.startswith("."):
                assert (DIRECTORY / source).exists(), source
            else:
                assert source in COMPOSE["volumes"]

    def test_each_volume_is_used(self) -> None:
        used = {source for service in SERVICES for source, _ in mounts(service) if not source.startswith(".")}
        assert set(COMPOSE["volumes"]) == used

    def test_who_waits_for_health_waits_for_a_service_that_tells_it(self) -> None:
        for service in SERVICES.values():
            waits = service.get("depends_on", {})
            for other in waits:
                assert other in SERVICES
                if isinstance(waits, dict) and waits[other]["condition"] == "service_healthy":
                    assert "healthcheck" in SERVICES[other]

    def test_every_port_is_this_machines_alone_and_somebody_listens_there(self) -> None:
        published = {(service, port) for service, described in SERVICES.items() for port in described.get("ports", ())}
        assert {"app", "collector", "jaeger", "prometheus", "grafana"} == {service for service, _ in published}
        for service, port in published:
            address, outside, inside = port.split(":")
            assert ("127.0.0.1", outside) == (address, inside)
            assert int(inside) in listens()[service]

    @pytest.mark.parametrize("name", _ADDRESSING)
    def test_an_address_is_that_of_a_service_that_listens_there(self, name: str) -> None:
        text = re.sub(r"(?m)^\s*#.*$", "", (DIRECTORY / name).read_text())
        asked = re.findall(rf"(?<![\w.-])({'|'.join(SERVICES)}):(\d{{4,5}})\b", text)
        assert asked
        for service, port in asked:
            assert int(port) in listens()[service], f"{service}:{port}"


class TestProduct:
    @pytest.mark.parametrize("service", PRODUCT)
    def test_the_code_knows_every_variable(self, service: str) -> None:
        assert set() == set(environment(service)) - known_variables()

    def test_production_settings_take_them(self) -> None:
        told = """
import json
from upstream.settings import production as it
print(json.dumps([it.SECURE_SSL_REDIRECT, it.ALLOWED_HOSTS, it.DATABASES["default"]["HOST"],
    it.DATABASES["default"]["PASSWORD"], it.CELERY_BROKER_URL, str(it.VAR_DIR)]))
"""
        given = environment("app", UPSTREAM_SECRET_KEY="k" * 50, POSTGRES_PASSWORD="0123abcd")
        done = subprocess.run(
            [sys.executable, "-c", told],
            cwd=CHECKOUT, env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        (job,) = read("../prometheus/prometheus.yml")["scrape_configs"]
        (scraped,) = job["static_configs"][0]["targets"]
        redirects, hosts, *rest = json.loads(done.stdout)
        assert redirects is False
        assert {scraped.partition(":")[0], "127.0.0.1", "localhost"} == set(hosts)
        assert ["db", "0123abcd", "redis://redis:6379/0", "/var/lib/upstream"] == rest

    def test_its_directories_are_volumes_that_all_its_processes_share(self) -> None:
        for service in TRACED:
            given = environment(service)
            shared = {given["UPSTREAM_VAR_DIR"]: "var", given["TELEMETRY_STORE_DIR"]: "store"}
            assert shared == {target: source for source, target in mounts(service)}

    def test_scrapes_and_health_checks_leave_no_span_and_requests_do(self) -> None:
        (asked,) = re.findall(r'"(http://.*?)"', SERVICES["app"]["healthcheck"]["test"][-1])
        excluded = parse_excluded_urls(environment("app")["OTEL_PYTHON_DJANGO_EXCLUDED_URLS"])
        urls = (asked, "http://app:8000/metrics", "http://127.0.0.1:8000/api/v1/batches/", "http://localhost:8000/")
        assert [True, True, False, False] == [excluded.url_disabled(url) for url in urls]

    def test_the_access_log_shows_no_query_no_referer_and_no_user(self, capsys: pytest.CaptureFixture[str]) -> None:
        config = import_module("gunicorn.config").Config()
        given = config.parser().parse_args(SERVICES["app"]["command"][1:])
        config.set("accesslog", given.accesslog)
        if given.access_log_format:
            config.set("access_log_format", given.access_log_format)
        environ = {
            "REMOTE_ADDR": "1.2.3.4", "REQUEST_METHOD": "GET", "RAW_URI": "/x/?q=s3cret", "PATH_INFO": "/x/",
            "QUERY_STRING": "q=s3cret", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_REFERER": "http://h/?q=s3cret",
            "HTTP_AUTHORIZATION": f"Basic {b64encode(b's3cret:s3cret').decode()}", "HTTP_COOKIE": "s3cret",
        }  # fmt: skip
        response = SimpleNamespace(status="200 OK", sent=12, headers=[("Location", "/?q=s3cret")])
        logger = import_module("gunicorn.glogging").Logger(config)
        logger.access(response, [("COOKIE", "s3cret")], environ, timedelta(milliseconds=7))
        line = capsys.readouterr().out
        assert '"GET /x/ HTTP/1.1" 200 12 7ms' in line
        assert "s3cret" not in line

    def test_the_commands_exist(self) -> None:
        words = " ".join(word for service in ("setup", "token") for word in SERVICES[service]["command"])
        named = re.findall(r"(?:manage\.py|\$\$manage) (\w+)", words)
        assert ["migrate", "collectstatic", "generate_claims", "issue_token"] == named
        assert set(named) <= set(get_commands())

    def test_metrics_go_to_prometheus_by_one_way_only(self) -> None:
        assert {"none"} == {environment(service)["OTEL_METRICS_EXPORTER"] for service in TRACED}
        assert ["traces"] == list(read("collector.yaml")["service"]["pipelines"])


class TestImage:
    DOCKERFILE = (DIRECTORY / "Dockerfile").read_text()

    def test_what_it_copies_is_there_and_not_ignored(self) -> None:
        ignored = (DIRECTORY / "Dockerfile.dockerignore").read_text().splitlines()
        assert "*" == ignored[0]
        copied = [line.split()[1:-1] for line in self.DOCKERFILE.splitlines() if line.startswith("COPY ")]
        for path in (Path(path) for paths in copied for path in paths):
            assert (CHECKOUT / path).exists()
            assert f"!{path}" in ignored or f"!{path.parent}/*{path.suffix}" in ignored, path

    def test_the_driver_comes_from_the_lock_of_the_tools_and_is_in_no_other(self) -> None:
        (program,) = re.findall(r"awk '(.*?)'", self.DOCKERFILE)
        locks = CHECKOUT / ".ci" / "requirements"
        taken = subprocess.run(
            ["awk", program, str(locks / "dev.txt")], capture_output=True, text=True, check=True
        ).stdout
        names = re.findall(r"(?m)^([\w-]+)==\S+ \\$", taken)
        assert ["opentelemetry-instrumentation-psycopg", "psycopg", "psycopg-binary", "psycopg-pool"] == names
        assert len(names) <= taken.count("--hash=sha256:")
        assert set() == set(names) & set(re.findall(r"(?m)^([\w-]+)==", (locks / "demo.txt").read_text()))


class TestCollector:
    def test_each_part_of_a_pipeline_is_described_and_each_part_is_used(self) -> None:
        config = read("collector.yaml")
        pipelines = config["service"]["pipelines"].values()
        for kind in ("receivers", "processors", "exporters"):
            assert set(config[kind]) == {name for pipeline in pipelines for name in pipeline[kind]}

    def test_it_reads_the_file_that_is_mounted(self) -> None:
        (option,) = SERVICES["collector"]["command"]
        assert DIRECTORY / "collector.yaml" == host_path("collector", option.removeprefix("--config="))


class TestPrometheus:
    def test_promtool_finds_no_fault_with_what_it_reads(self) -> None:
        (option,) = [word for word in SERVICES["prometheus"]["command"] if word.startswith("--config.file=")]
        promtool.check_config(host_path("prometheus", option.removeprefix("--config.file=")))

    def test_it_keeps_exemplars(self) -> None:
        assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]


class TestGrafana:
    SOURCES: dict[str, Any] = {
        source["uid"]: source for source in read("grafana/datasources/datasources.yaml")["datasources"]
    }

    def test_an_exemplar_leads_to_jaeger_by_the_label_that_the_page_has(self) -> None:
        (link,) = self.SOURCES["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
        assert "jaeger" == self.SOURCES[link["datasourceUid"]]["type"]
        page = (CHECKOUT / "telemetry" / "exposition" / "openmetrics.py").read_text()
        assert f'{link["name"]}="' in page

    def test_the_dashboards_find_their_source(self) -> None:
        (provider,) = read("grafana/dashboards/dashboards.yaml")["providers"]
        dashboards = [
            json.loads(path.read_text()) for path in host_path("grafana", provider["options"]["path"]).glob("*.json")
        ]
        assert dashboards
        asked = {
            variable["query"]
            for dashboard in dashboards
            for variable in dashboard["templating"]["list"]
            if variable["type"] == "datasource"
        }
        assert asked == {source["type"] for source in self.SOURCES.values() if source.get("isDefault")}
