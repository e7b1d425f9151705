"""Shared by the product's tests: a customer, payers, files of claims, and a record of the metrics."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from upstream import jobs, metrics
from upstream.ingestion import COLUMNS
from upstream.models import Customer, Job, Payer

GOOD = {
    "customer": "mercy",
    "payer": "aetna",
    "claim_id": "C-1",
    "procedure_code": "99213",
    "billed_amount": "125.50",
    "paid_amount": "100.00",
    "service_date": "2025-01-02",
    "submitted_date": "2025-01-05",
    "paid_date": "2025-01-25",
    "denied": "false",
    "denial_reason": "",
}

Calls = list[tuple[str, tuple[Any, ...]]]


def line(**changes: str) -> str:
    """A row of a claims file: a good one but for the changes."""
    return ",".join({**GOOD, **changes}[name] for name in COLUMNS)


def stream(*lines: str) -> io.BytesIO:
    """A claims file with these rows below the right header."""
    return io.BytesIO("".join(f"{text}\n" for text in (",".join(COLUMNS), *lines)).encode())


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def uploads(settings: Any, tmp_path: Path) -> Path:
    """Where uploads wait, of one test alone."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def work() -> int:
    """Do what a worker would: try every job that is due, and those that come of them; the number of attempts."""
    attempts = 0
    while due := Job.objects.filter(status="queued", due_at__lte=timezone.now()).order_by("pk").first():
        attempts += 1
        with contextlib.suppress(jobs.AttemptFailed):
            jobs.attempt(due.pk)
    return attempts


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer.objects.create(code="mercy", name="Mercy West", alert_email="ops@mercy.example.com")


@pytest.fixture
def payers(db: None) -> list[Payer]:
    return [Payer.objects.create(code=code, name=code.title()) for code in ("aetna", "cigna")]


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Every call of a `track_*` helper, arguments bound to the real helper's signature."""
    calls: Calls = []

    def recorder(name: str, helper: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(helper)

        def record(*args: Any, **kwargs: Any) -> None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            calls.append((name, tuple(bound.arguments.values())))

        return record

    for name, helper in inspect.getmembers(metrics, inspect.isfunction):
        if name.startswith("track_"):
            monkeypatch.setattr(metrics, name, recorder(name, helper))
    return calls


def named(calls: Calls, name: str) -> list[tuple[Any, ...]]:
    """The arguments of the calls of one helper, in order."""
    return [args for called, args in calls if called == name]


@pytest.fixture(autouse=True, scope="session")
def store_of_child_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test starts without saying where its store is leaves nothing behind on the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELEMETRY_STORE_DIR", str(tmp_path_factory.mktemp("store")))
        yield
