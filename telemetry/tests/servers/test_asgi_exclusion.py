"""The settings that exclude requests, under a real uvicorn."""

from __future__ import annotations

from pathlib import Path

from telemetry.tests.servers.harness import Samples, get, uvicorn

HTTP = ("django_http_", "http_server_")


def counts(samples: Samples) -> dict[object, float]:
    """What HTTP has counted; a zero is nothing."""
    return {
        (name, labels): value
        for (name, labels), value in samples.items()
        if name.startswith(HTTP) and name.endswith(("_total", "_count", "_requests")) and value
    }


def counted(tmp_path: Path, paths: list[str], **environ: str) -> dict[object, float]:
    env = {"DJANGO_SETTINGS_MODULE": "telemetry.tests.servers.asgi_settings", **environ}
    tmp_path.mkdir()
    with uvicorn(tmp_path, env=env) as server:
        for path in paths:
            get(server.port, path)
        return counts(server.scrape())


class TestExclusion:
    def test_it_is_as_if_they_had_not_come(self, tmp_path: Path) -> None:
        alone = counted(tmp_path / "alone", ["/ok", "/nowhere", "/stream"])
        assert alone
        everything = ["/ok", "/shop/item/7/", "/boom", "/nowhere", "/async/stream", "/template", "/large", "/stream"]
        excluded = {"EXCLUDED_VIEWS": "shop:item boom async-stream", "EXCLUDED_URLS": "^/temp ge$"}
        assert alone == counted(tmp_path / "excluded", everything, **excluded)
