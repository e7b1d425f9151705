"""What is not HTTP passes by: WebSockets through Channels, and the server's lifespan."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.tests.servers.asgi_websocket import Client
from telemetry.tests.servers.harness import BY_METHOD, Traffic, total, uvicorn

SETTINGS = {"DJANGO_SETTINGS_MODULE": "telemetry.tests.servers.asgi_settings"}


class TestChannels:
    @pytest.mark.parametrize("path", ["/shout", "/sync-shout"])
    def test_websockets_work_and_only_http_is_counted(self, tmp_path: Path, path: str) -> None:
        app = "telemetry.tests.servers.asgi_channels:application"
        protocol = "telemetry.tests.servers.asgi_websocket:Protocol"
        options = ("--ws", protocol, "--lifespan", "on")
        with uvicorn(tmp_path, *options, app=app, cwd=tmp_path, env=SETTINGS) as server:
            client = Client(server.port, path)
            assert "ONE" == client.ask("one")
            assert {200: 5} == Traffic(server.port).send(5).statuses
            assert "TWO" == client.ask("two")
            samples = server.scrape()
            assert 5 == total(samples, BY_METHOD)
            assert 5 == total(samples, "http_server_request_duration_seconds_count", http_route="ok")
            assert 5 == total(samples, "http_server_request_duration_seconds_count")
            assert 0 == total(samples, "http_server_active_requests")
            client.leave()
            assert {200: 1} == Traffic(server.port).send(1).statuses
            assert 6 == total(server.scrape(), BY_METHOD)
            assert (tmp_path / "startup").exists()
        assert (tmp_path / "shutdown").exists()
        assert "Traceback" not in server.log.read_text()

    def test_a_server_that_offers_a_lifespan_to_django_alone(self, tmp_path: Path) -> None:
        with uvicorn(tmp_path, "--lifespan", "auto", env=SETTINGS) as server:
            assert {200: 3} == Traffic(server.port).send(3).statuses
            assert 3 == total(server.scrape(), BY_METHOD)
        assert "Traceback" not in server.log.read_text()
