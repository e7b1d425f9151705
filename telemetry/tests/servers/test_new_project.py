"""The README's block, pasted into a project that `django-admin startproject` made, under three servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from telemetry.tests.servers.harness import BY_METHOD, CHECKOUT, Server, get, gunicorn, runserver, total, uvicorn

BY_VIEW = "django_http_responses_total_by_status_view_method_total"


def readme_blocks() -> dict[str, str]:
    """The README's code blocks that begin with `# mysite/FILE`, by that file."""
    blocks = re.findall(r"```python\n# (mysite/\w+\.py)\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    return dict(blocks)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh project with the README's lines appended to the files that they name."""
    root = tmp_path / "project"
    root.mkdir()
    subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", str(root)], check=True)
    blocks = readme_blocks()
    assert {"mysite/settings.py", "mysite/urls.py"} == set(blocks)
    for path, code in blocks.items():
        with (root / path).open("a") as file:
            file.write("\n" + code)
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=root, check=True, env=environment())
    return root


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT)} | {"DJANGO_SETTINGS_MODULE": "mysite.settings"}


def serve(kind: str, tmp_path: Path, project: Path) -> AbstractContextManager[Server]:
    settings = {"DJANGO_SETTINGS_MODULE": "mysite.settings"}
    if kind == "gunicorn":
        return gunicorn(tmp_path, "--workers", "2", app="mysite.wsgi:application", cwd=project, env=settings)
    if kind == "uvicorn":
        return uvicorn(tmp_path, "--workers", "2", app="mysite.asgi:application", cwd=project, env=settings)
    return runserver(tmp_path, project, settings)


class TestNewProject:
    def test_the_block_is_ten_lines_at_most(self) -> None:
        lines = [line for code in readme_blocks().values() for line in code.splitlines() if line.strip()]
        assert 1 <= len(lines) <= 10

    @pytest.mark.parametrize("kind", ["runserver", "gunicorn", "uvicorn"])
    def test_metrics_show_its_views_and_nothing_of_upstream(self, kind: str, tmp_path: Path, project: Path) -> None:
        with serve(kind, tmp_path, project) as server:
            for _ in range(10):
                assert 200 == get(server.port, "/admin/login/")[0]
            samples = server.scrape()
            assert 10 == total(samples, BY_VIEW, view="admin:login", status="200", method="GET")
            assert 11 == total(samples, BY_METHOD)
            assert 10 == total(samples, "django_http_responses_total_by_templatename_total")
            body = get(server.port, "/metrics")[1]
            assert b"# TYPE django_db_execute_total counter\n" in body
            assert b"upstream_" not in body
