"""Under a real uvicorn, a request costs no change of thread that it would not cost without us."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.servers.harness import get, uvicorn

IN_LOOP = ["/async", "/ok", "/async/stream", "/template", "/nowhere", "/slashed", "/short/1", "/fail/"]
RAISING = ["/boom", "/missing", "/template/broken"]
IN_THREADS = ["/stream", "/stream/broken", "/file"]
"""What a synchronous iterator makes Django read in a thread; so are its bytes counted there."""
PATHS = [*IN_LOOP, *RAISING, *IN_THREADS]

CLOSING = {"_Stream.close", "_Stream._end", "_Stream.__del__"}
"""Django closes every response in a thread; a forgotten stream ends where the garbage collector runs."""
HANDLING = {
    "HttpInstrumentation.exception",
    "HttpInstrumentation._raised",
    "HttpLabels.view",
    "Table.add",
}
"""Django handles every exception in a thread."""


def seen(tmp_path: Path, stack: str, **environ: str) -> dict[str, Any]:
    tmp_path.mkdir(exist_ok=True)
    env = {"TEST_STACK": stack, "DJANGO_SETTINGS_MODULE": "telemetry.tests.servers.asgi_settings", **environ}
    found = {}
    with uvicorn(tmp_path, app="telemetry.tests.servers.asgi_app:application", env=env) as server:
        for path in PATHS:
            try:
                get(server.port, path)
            except http.client.IncompleteRead:
                assert path == "/stream/broken"
            found[path] = json.loads(get(server.port, f"/_seen{path}", timeout=10)[1])
    return found


class TestThreads:
    @pytest.mark.parametrize(
        "place",
        [None, "4", pytest.param("0", marks=pytest.mark.slow), pytest.param("-1", marks=pytest.mark.slow)],
        ids=["all async", "one sync in the middle", "one sync outermost", "one sync innermost"],
    )
    def test_as_many_submits_as_the_bare_application(self, tmp_path: Path, place: str | None) -> None:
        sync_only = {} if place is None else {"SYNC_ONLY_AT": place}
        bare, ours = (seen(tmp_path / stack, stack, **sync_only) for stack in ("bare", "telemetry"))
        assert {path: bare[path]["submitted"] for path in PATHS} == {path: ours[path]["submitted"] for path in PATHS}
        assert all(bare[path]["submitted"] for path in PATHS)

    def test_our_code_runs_in_the_thread_of_the_loop(self, tmp_path: Path) -> None:
        ours = seen(tmp_path, "telemetry")
        for path in IN_LOOP:
            assert set() == set(ours[path]["off_loop"]) - CLOSING, path
        for path in RAISING:
            assert set(ours[path]["off_loop"]) == HANDLING, path
        for path in PATHS:
            assert {"HttpInstrumentation.begun", "HttpInstrumentation.done"} <= set(ours[path]["on_loop"]), path
