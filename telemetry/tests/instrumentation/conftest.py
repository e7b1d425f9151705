"""The test project's stack with our middlewares around it, recording into the test's own store."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from django.test import override_settings

from telemetry.instrumentation import privacy, spans
from telemetry.tests.instrumentation.recording import AFTER, BEFORE, Recording
from telemetry.tests.project import settings as project

collect_ignore = [] if find_spec("django.tasks") else ["test_tasks_django.py"]
INNER = [path for path in project.MIDDLEWARE if path not in (BEFORE, AFTER)]


@pytest.fixture(autouse=True)
def project_settings(django_db_blocker: Any) -> Iterator[None]:
    """The test project, whatever settings the test run was started with."""
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    # The end of a request looks at the connections that other tests have left.
    with (
        django_db_blocker.unblock(),
        override_settings(
            ROOT_URLCONF=project.ROOT_URLCONF,
            MIDDLEWARE=[BEFORE, *INNER, AFTER],
            TEMPLATES=project.TEMPLATES,
            ALLOWED_HOSTS=["*"],
            SECURE_PROXY_SSL_HEADER=project.SECURE_PROXY_SSL_HEADER,
        ),
    ):
        yield


@pytest.fixture(autouse=True)
def no_spans() -> Iterator[None]:
    """Take out what a test has installed: where something is in, the next `install` changes nothing."""
    yield
    spans.uninstall(get_middleware=list, set_middleware=lambda _: None)


@pytest.fixture
def recording() -> Iterator[Recording]:
    with Recording() as recording:
        yield recording
        assert [] == recording.dropped()


@pytest.fixture
def only_what_is_built_in() -> Iterator[None]:
    """The rules of privacy without what a project, or another test, has set."""
    privacy.configure()
    yield
    privacy.configure()
