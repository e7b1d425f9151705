"""docs/MIGRATING.md, followed to the letter by a project on django-prometheus."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telemetry.tests.compare import legacy
from telemetry.tests.servers.harness import CHECKOUT, Samples, get, gunicorn, parse

GUIDE = (CHECKOUT / "docs/MIGRATING.md").read_text()
STEPS = dict(re.findall(r"<!-- run: (\w+) -->\n```sh\n(.*?)```", GUIDE, re.DOTALL))
COUNTED = re.compile(
    r"^(?!.*(_latency_|_created))"
    r"(acme_django_(model_|cache_get_|db_errors_|http_exceptions_|http_responses_total_by_templatename_)|shop_orders"
    r'|acme_django_http_.*view="(order|page|broken)").*',
    re.MULTILINE,
)


def run(directory: Path, script: str, status: int = 0) -> str:
    """What a shell says that is given the script as it stands."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "OTEL_", "PYTEST_"))
    }
    environ |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "TELEMETRY_STORE_DIR": str(directory / "store"),
    }
    done = subprocess.run(
        ["sh", "-e", "-c", script], cwd=directory, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert status == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def serving(directory: Path) -> Iterator[int]:
    """The project under gunicorn after requests of every kind that it knows: the port."""
    environ = {"DJANGO_SETTINGS_MODULE": "mysite.settings"}
    with gunicorn(directory, app="mysite.wsgi", cwd=directory, env=environ) as server:
        for path, status in {"/order": 200, "/page": 200, "/broken": 500, "/nowhere": 404}.items():
            assert status == get(server.port, path)[0], server.log.read_text()
        for _ in range(100):
            if b"django_migrations_applied_total{" in get(server.port, "/metrics")[1]:
                break
        yield server.port


def step(name: str, port: int = 0) -> str:
    return str(STEPS[name]).replace("127.0.0.1:8000", f"127.0.0.1:{port}")


def counted(page: str) -> Samples:
    """What both count alike, whatever their scrapes do: nothing is lost, nothing counts twice."""
    return parse("".join(f"{match[0]}\n" for match in COUNTED.finditer(page)))


@pytest.mark.parametrize("labels", [False, True], ids=["stock", "labels"])
def test_the_guide_followed_to_the_letter(labels: bool, tmp_path: Path) -> None:
    assert ["before", "replace", "check", "after", "compare"] == list(STEPS)
    legacy.write(tmp_path, labels=labels)
    assert "Ran 1 test" in run(tmp_path, "python manage.py migrate --verbosity 0 && python manage.py test")
    with serving(tmp_path) as port:
        run(tmp_path, step("before", port))
    sources = {path: path.read_text() for path in tmp_path.rglob("*.py")}

    run(tmp_path, step("replace"))
    replaced = {path: path.read_text() for path in tmp_path.rglob("*.py")}
    assert 6 == sum(sources[path] != text for path, text in replaced.items())
    assert "" == "".join(
        line for text in replaced.values() for line in text.splitlines() if re.search(r"(?<!compat\.)django_prom", line)
    )
    run(tmp_path, step("replace"))
    assert replaced == {path: path.read_text() for path in tmp_path.rglob("*.py")}

    assert "telemetry.W01" not in run(tmp_path, step("check"))
    assert "Ran 1 test" in run(tmp_path, "python manage.py test")
    with serving(tmp_path) as port:
        run(tmp_path, step("after", port))
    before, after = (counted((tmp_path / f"metrics-{name}.txt").read_text()) for name in ("before", "after"))
    assert before == after
    verdict = run(tmp_path, step("compare"))
    assert verdict.splitlines()[-1].startswith("SAFE: "), verdict
    assert "no sample to compare" not in verdict


def test_every_check_that_the_guide_names_exists() -> None:
    checks = (CHECKOUT / "telemetry/checks.py").read_text()
    named = set(re.findall(r"telemetry\.W\d{3}", GUIDE))
    assert named
    assert set() == {name for name in named if name not in checks}
