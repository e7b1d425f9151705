"""Requests to Upstream with a word, or what has a private shape, wherever a request can bring it."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from telemetry.tests.instrumentation.planted_data import ADMIN, API, EMAIL, SSN, WORD, claims

KEY = {"authorization": f"Token {WORD}-token"}


def client() -> Client:
    """A customer's program, which shows itself in its headers too."""
    return Client(
        raise_request_exception=False,
        headers=KEY
        | {
            "user-agent": EMAIL,
            "cookie": f"sessionid={WORD}",
            "x-forwarded-user": WORD,
            "referer": f"https://example.org/?next=%2F%3Fq%3D{WORD}",
            "baggage": f"patient={WORD}",
            "tracestate": f"patient={EMAIL}",
        },
    )


def upload(program: Client, content: bytes) -> int:
    file = SimpleUploadedFile(f"{WORD}.csv", content, content_type="text/csv")
    return program.post(f"{API}batches/", {"file": file}).status_code


def post(program: Client, path: str, **body: str) -> int:
    return program.post(f"{API}{path}", body, content_type="application/json").status_code


def to_the_api(program: Client) -> list[int]:
    """The statuses of uploads, orders and questions, good and bad."""
    with mock.patch("upstream.ingestion.receive", side_effect=ValueError(f"{WORD}\ncannot be read")):
        crashed = upload(program, claims())
    return [
        upload(program, claims()),
        crashed,
        upload(program, claims()[:-20]),
        upload(program, WORD.encode()),
        post(program, "reports/", report_type="denial_analysis", start="2025-01-01", end="2025-02-28"),
        post(program, "reports/", report_type=WORD, start=WORD, end=WORD),
        post(program, "detections/", end=WORD),
        post(program, "detections/"),
        program.post(f"{API}reports/", "{" + WORD, content_type="application/json").status_code,
        program.get(f"{API}batches/?token={WORD}&next={EMAIL}").status_code,
        program.get(f"{API}events/?payer=aetna").status_code,
        program.get(f"{API}jobs/", headers={"authorization": f"Token {WORD}"}).status_code,
        program.get(f"/people/{EMAIL}/").status_code,
    ]


def to_the_api_with_names_that_are_not_private(program: Client) -> set[int]:
    """The statuses of lists that are filtered by what nobody knows, and of rows with ids that are none."""
    statuses = set()
    for endpoint in ("batches", "events", "alerts", "reports", "jobs", "detections"):
        for name in ("status", "subject", "payer", "filename", "cursor", "page_size", "term", "x", "page", "of[name]"):
            statuses.add(program.get(f"{API}{endpoint}/?{name}={WORD}-1").status_code)
        # No route has it: of such a path only what has a shape is private.
        statuses.add(program.get(f"{API}{endpoint}/{SSN}/").status_code)
    return statuses


def to_the_admin(claim: Any) -> list[int]:
    """The statuses of pages of the admin, for a visitor and for a user; `claim` is a row that is there."""
    browser = Client(raise_request_exception=False)
    listed = f"{ADMIN}upstream/claim/?q={WORD}-1"
    to_login = browser.get(listed)
    pages = [to_login, browser.get(to_login["Location"])]
    pages.append(browser.post(to_login["Location"], {"username": WORD, "password": WORD}))
    users: Any = import_module("django.contrib.auth").get_user_model().objects
    browser.force_login(users.create_superuser(f"{WORD}-admin", EMAIL, WORD))
    upstream, filters = f"{ADMIN}upstream/", f"_changelist_filters=q%3D{WORD}-1"
    autocomplete = "autocomplete/?app_label=upstream&model_name=apitoken&field_name=customer&term="
    pages += [
        browser.get(path)
        for path in (
            listed,
            f"{upstream}claim/{claim.pk}/change/?{filters}",
            f"{upstream}claim/{WORD}-1/change/?{filters}",
            f"{upstream}claimbatch/?customer__code__exact={WORD}",
            f"{upstream}claimbatch/?filename={WORD}",
            f"{upstream}claim/?claim_id__startswith={WORD}",
            f"{upstream}job/?error_type={WORD}",
            f"{upstream}customer/?o=1&e={WORD}",
            f"{upstream}{WORD}/",
            f"{ADMIN}jsi18n/?x={WORD}",
            f"{ADMIN}{autocomplete}{WORD}",
        )
    ]
    pages.append(browser.post(f"{upstream}payer/add/", {"code": "aetna", "name": WORD, "_save": "1"}))
    pages.append(browser.post(f"{upstream}payer/add/", {"code": f"{WORD}-payer", "name": WORD, "_save": "1"}))
    return [page.status_code for page in pages]


def hostile(program: Client) -> list[int]:
    """The statuses of requests whose host and method have a private shape."""
    return [
        program.get(f"{API}jobs/", headers={"host": f"{SSN}.example"}).status_code,
        program.generic(f"X{SSN}", f"{API}jobs/").status_code,
        program.get(f"{API}jobs/?{SSN}=1", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}).status_code,
    ]
