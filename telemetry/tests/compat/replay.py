"""A site with labels of its own, on django-prometheus or on ours: one source, one search-and-replace.

`python -m telemetry.tests.compat.replay PACKAGE SOURCE [--async]` prints the families `*django_http_*` and `*site_*`
after the script of requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

from telemetry.tests.instrumentation.replay import Families, _theirs, script, shown

THEIRS, OURS = "django_prometheus", "telemetry.compat.django_prometheus"


def replay(package: str, source: str, directory: Path, *options: str, **settings: Any) -> Families:
    """The families that `package` shows, from a fresh process; `directory` is for the store."""
    command = [sys.executable, "-m", __name__, package, source, *options]
    environ = {**os.environ, "TEST_STACK": "bare", "TEST_SETTINGS": json.dumps(settings)}
    environ["TELEMETRY_STORE_DIR"] = str(directory)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def site(source: str, package: str) -> None:
    """Have the source as the module `site_labels`, its imports from `package`."""
    text = Path(__file__).with_name(source).read_text().replace(THEIRS, package)
    module = types.ModuleType("site_labels")
    sys.modules["site_labels"] = module
    exec(compile(text, source, "exec"), module.__dict__)


class AsyncClientInDisguise:
    """Django's async client with the one method that the script needs."""

    def __init__(self, **options: Any) -> None:
        from django.test import AsyncClient

        self._client = AsyncClient(**options)

    def generic(self, method: str, path: str, data: Any = b"", **options: Any) -> Any:
        async def send() -> Any:
            response = await self._client.generic(method, path, data, **options)
            if response.streaming:
                with contextlib.suppress(OSError):
                    setattr(response, "streaming_content", [part async for part in _each(response)])  # noqa: B010
            return response

        return asyncio.run(send())

    def post(self, path: str, data: Any, content_type: str) -> Any:
        return self.generic("POST", path, data, content_type=content_type)


async def _each(response: Any) -> Any:
    if not response.is_async:
        for part in response.streaming_content:
            yield part
    else:
        async for part in response.streaming_content:
            yield part


def families_of(package: str) -> Families:
    if package == THEIRS:
        return _theirs()
    from telemetry import runtime

    return shown(runtime.get().families())


def _main(package: str, source: str, *options: str) -> Families:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    import django
    from django.conf import settings

    from telemetry.tests.project import settings as project

    common = {name: getattr(project, name) for name in dir(project) if name.isupper() and not name.startswith("_")}
    middleware = ["site_labels.SiteBeforeMiddleware", *project.MIDDLEWARE, "site_labels.SiteAfterMiddleware"]
    common |= {"INSTALLED_APPS": [package], "MIDDLEWARE": middleware} | json.loads(os.environ["TEST_SETTINGS"])
    settings.configure(**common)
    django.setup()
    site(source, package)
    from django.test import Client

    client: Any = AsyncClientInDisguise if "--async" in options else Client
    script(client(raise_request_exception=False), client(enforce_csrf_checks=True))
    found = families_of(package)
    return {name: each for name, each in found.items() if "django_http_" in name or "site_" in name}


if __name__ == "__main__":
    json.dump(_main(*sys.argv[1:]), sys.stdout)
