"""Attributes of spans, and fields of records, are cleaned by what their names say they are."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import pytest
from celery import exceptions

from telemetry.instrumentation import privacy
from telemetry.instrumentation.privacy import REDACTED

Retry: Any = exceptions.Retry
PRIVATE = (
    "Authorization proxy_authorization Set-Cookie x-api-key x_forwarded_user x_user x-user-id remote-user baggage "
    "x_amzn_oidc_identity x_forwarded_client_cert ssl-client-cert ssl-client-s-dn x-ms-client-principal tracestate "
    "content_disposition x-hub-signature-256 last_name__startswith dob__gte filter[name] patient.id names file_name"
)
pytestmark = pytest.mark.usefixtures("only_what_is_built_in")


class TestIsPrivate:
    @pytest.mark.parametrize(
        "name",
        PRIVATE.split(),
    )
    def test_names(self, name: str) -> None:
        assert privacy.is_private(name)

    @pytest.mark.parametrize(
        "name",
        ["user-agent", "accept", "host", "x-request-id", "authority", "author", "concert", "date", "status"],
    )
    def test_leaves_the_rest(self, name: str) -> None:
        assert not privacy.is_private(name)

    def test_takes_the_projects_names_within_look_ups(self) -> None:
        privacy.configure(names=["facility_id"])
        assert privacy.is_private("Facility-Id")
        assert privacy.is_private("facility_id__in")
        assert not privacy.is_private("facility")

    def test_takes_long_names_for_private_and_keeps_none(self) -> None:
        # Part of a field's name that a client chose, as of JSON that is logged.
        name = "f" * 100_000
        references = sys.getrefcount(name)
        assert privacy.is_private(name)
        assert references == sys.getrefcount(name)


class TestAttributes:
    def test_are_cleaned_by_what_they_are(self) -> None:
        found = {
            "http.request.header.authorization": ["Bearer s3cret"],
            "http.request.header.cookie": ["s3cret"],
            "http.request.header.x-api-key": ["s3cret"],
            "http.response.header.set_cookie": ["s3cret"],
            "http.request.header.referer": ["https://u:s3cret@h/p?token=s3cret#s3cret"],
            "http.request.header.accept": ["text/html"],
            "http.response.header.content_location": ["/p?token=s3cret"],
            "url.full": "https://h/p?token=s3cret",
            "http.target": "/p?token=s3cret",
            "url.query": "token=s3cret",
            "db.statement": "SELECT 's3cret'",
            "db.query.text": 'SELECT "s3cret"',
            "db.system.name": "mysql",
            "http.request.header.x_original_url": ["/x?token=s3cret"],
            "http.response.header.link": ['<https://h/x?q=s3cret&page=2>; rel="next"'],
            "http.response.header.refresh": ["0; url=/x?token=s3cret"],
            "http.request.header.x_forwarded_user": ["s3cret"],
            "url.original": "https://u:s3cret@h/p?q=s3cret",
            "db.operation.name": "VALUES('s3cret')",
            "db.query.summary": "SELECT/*s3cret*/x",
            "db.query.parameter.0": "s3cret",
            "db.statement.parameters": "('s3cret',)",
            "exception.message": "s3cret",
            "mixed": ["jane@example.org", 1, None],
            "number": 4111111111111111,
        }
        shown = privacy.attributes(found)
        assert "s3cret" not in repr(shown)
        assert {
            "http.request.header.referer": [f"https://h/p?token={REDACTED}"],
            "http.request.header.accept": ["text/html"],
            "http.response.header.content_location": [f"/p?token={REDACTED}"],
            "http.request.header.x_original_url": [f"/x?token={REDACTED}"],
            "http.response.header.link": [f'<https://h/x?q={REDACTED}&page=2>; rel="next"'],
            "http.response.header.refresh": [f"0; url=/x?token={REDACTED}"],
            "url.original": f"https://h/p?q={REDACTED}",
            "db.operation.name": "VALUES(?)",
            "db.query.summary": "SELECT x",
            "url.full": f"https://h/p?token={REDACTED}",
            "http.target": f"/p?token={REDACTED}",
            "url.query": f"token={REDACTED}",
            "db.statement": "SELECT ?",
            "db.query.text": "SELECT ?",
            "db.system.name": "mysql",
            "mixed": [REDACTED, 1, None],
            "number": 4111111111111111,
        } == shown
        assert shown == privacy.attributes(shown)

    @pytest.mark.parametrize(
        "name",
        [
            *("password", "authorization", "app.api_key", "rpc.request.metadata.authorization", "http.request.body"),
            *("enduser.id", "user.email", "user.full_name", "session.id", "graphql.document", "messaging.message.body"),
            *("celery.task.kwargs", "gen_ai.input.messages"),
        ],
    )
    def test_of_secret_names_are_redacted(self, name: str) -> None:
        assert {name: REDACTED} == privacy.attributes({name: "s3cret"})
        assert {name: [REDACTED]} == privacy.attributes({name: ("s3cret",)})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("celery.state", "SUCCESS"), ("http.request.body.size", 7), ("gen_ai.usage.input_tokens", 7)),
            *(("user_agent.original", "curl"), ("url.template", "/a/{b}"), ("db.response.status_code", "42P01")),
            *(("messaging.kafka.offset", 7), ("http.request.header.authority", ["h"]), ("code.file.path", "a.py")),
        ],
    )
    def test_of_other_names_stay(self, name: str, value: Any) -> None:
        assert {name: value} == privacy.attributes({name: value})

    def test_of_the_projects_names_are_redacted(self) -> None:
        privacy.configure(names=["member_id", "http.route"])
        shown = privacy.attributes({"shop.memberId": "jane", "member-id": 7, "http.route": "x/", "member": "m"})
        assert {"shop.memberId": REDACTED, "member-id": REDACTED, "http.route": REDACTED, "member": "m"} == shown


class TestRetryReason:
    """As the stock instrumentation of Celery has it, from Celery itself."""

    @pytest.mark.parametrize(
        ("reason", "shown"),
        [
            (Retry(exc=ValueError("claim C-77 of jane"), when=3), "ValueError"),
            (Retry(exc=KeyError("jane"), when=datetime.datetime(2025, 1, 31, 12, 30)), "KeyError"),
            (Retry(exc="claim C-77 of jane", when=3), "Retry"),
            (Retry("claim C-77 of jane"), "Retry"),
            (Retry(when=3), "Retry"),
            ("LookupError", "LookupError"),
        ],
        ids=str,
    )
    def test_is_a_type(self, reason: object, shown: str) -> None:
        assert {"celery.retry.reason": shown} == privacy.attributes({"celery.retry.reason": str(reason)})

    def test_masked_where_messages_are_allowed(self) -> None:
        privacy.configure(exception_messages=True)
        reason = str(Retry(exc=ValueError("claim C-77 of jane"), when=3))
        assert "Retry in ?s: ValueError?" == privacy.attributes({"celery.retry.reason": reason})["celery.retry.reason"]
