"""The operators' pages: every list and row, what may not be changed or seen, and what can be done."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from upstream import ingestion
from upstream.api.report_content import POLICY
from upstream.models import Alert, AlertChannel, AlertDelivery, ApiToken, Claim, Customer, Job, Payer, Report
from upstream.tests.conftest import work
from upstream.tests.planted import MINE, THEIRS, plant
from upstream.tests.programs import API, bearer

MODELS = list(apps.get_app_config("upstream").get_models())
EDITABLE = {Customer, Payer, AlertChannel}
by_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)


def url(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:upstream_{model._meta.model_name}_{page}", args=args)


def act(client: Client, name: str, *rows: Model) -> str:
    """Run an action on rows; what the page says afterwards."""
    body = {"action": name, "_selected_action": [row.pk for row in rows]}
    answer = client.post(url(type(rows[0]), "changelist"), body, follow=True)
    assert 200 == answer.status_code
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.fixture
def planted(db: None) -> None:
    for pk in (MINE, THEIRS):
        ApiToken.issue(plant(pk), "a program")


@pytest.fixture
def operator(db: None) -> Client:
    """Somebody who may do everything."""
    client = Client()
    # Without a password, which would take long to hash.
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    """Somebody who may look at everything and do nothing."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    return client


class TestPages:
    def test_of_every_model(self) -> None:
        assert 14 == len(MODELS)
        assert [] == [model for model in MODELS if model not in admin.site._registry]

    @by_model
    @pytest.mark.usefixtures("planted")
    def test_lists_and_rows_open(self, model: type[Model], operator: Client) -> None:
        row = model._default_manager.latest("pk")
        assert 200 == operator.get(url(model, "change", row.pk)).status_code
        page = operator.get(url(model, "changelist")).content.decode()
        assert url(model, "change", row.pk) in page
        assert 200 == operator.get(url(model, "changelist"), {"q": "mine"}).status_code

    @by_model
    def test_lists_can_be_searched_and_narrowed(self, model: type[Model]) -> None:
        pages = admin.site._registry[model]
        assert pages.search_fields
        assert pages.list_filter or model in {Customer, Payer}
        assert len(pages.list_display) > 1

    @by_model
    @pytest.mark.usefixtures("planted")
    def test_as_many_queries_for_many_rows_as_for_one(self, model: type[Model], operator: Client) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as found:
                assert 200 == operator.get(url(model, "changelist")).status_code
            return len(found)

        two = queries()
        for pk in range(3_000, 3_008):
            ApiToken.issue(plant(pk), "a program")
        assert two == queries()

    @pytest.mark.parametrize("model", set(MODELS) - EDITABLE, ids=lambda model: model._meta.model_name)
    @pytest.mark.usefixtures("planted")
    def test_what_the_service_writes_is_not_changed_by_hand(self, model: type[Model], operator: Client) -> None:
        row = model._default_manager.latest("pk")
        before = list(model._default_manager.order_by("pk").values())
        for page, args in (
            ("change", [row.pk]),
            ("delete", [row.pk]),
            *([("add", [])] if model is not ApiToken else []),
        ):
            assert 403 == operator.post(url(model, page, *args), {"post": "yes"}).status_code
        assert before == list(model._default_manager.order_by("pk").values())

    def test_strangers_see_nothing(self, db: None, client: Client) -> None:
        for model in MODELS:
            assert 302 == client.get(url(model, "changelist")).status_code


@pytest.mark.usefixtures("planted")
class TestSecrets:
    @by_model
    def test_are_on_no_page(self, model: type[Model], operator: Client) -> None:
        AlertChannel.objects.update(secret="whsec_c2VjcmV0", target="https://hooks.example.com/path-of-a-hook")
        digests = [*ApiToken.objects.values_list("digest", flat=True), "whsec_c2VjcmV0"]
        for row in model._default_manager.all():
            pages = [operator.get(url(model, "changelist")), operator.get(url(model, "change", row.pk))]
            text = "".join(page.content.decode() for page in pages)
            assert [] == [secret for secret in digests if secret in text]
            assert model is AlertChannel or "path-of-a-hook" not in text

    def test_of_a_token_is_shown_once(self, operator: Client) -> None:
        answer = operator.post(url(ApiToken, "add"), {"customer": MINE, "name": "uploader"})
        secret = answer.context["secret"]
        assert (200, True) == (answer.status_code, "no-store" in answer["Cache-Control"])
        assert f'<pre id="secret">{secret}</pre>' in answer.content.decode()
        token = ApiToken.objects.get(digest=ApiToken.digest_of(secret))
        assert (MINE, "uploader") == (token.customer_id, token.name)
        assert "mine" == bearer(secret).get(f"{API}customer/").json()["code"]
        later = [operator.get(url(ApiToken, "changelist")), operator.get(url(ApiToken, "change", token.pk))]
        assert [] == [page for page in later if secret in page.content.decode()]
        assert secret not in str(LogEntry.objects.values())

    def test_of_a_channel_stays_until_another_is_given(self, operator: Client) -> None:
        form = {"customer": MINE, "channel_type": "webhook", "target": "https://example.com/", "active": "on"}
        for given, kept in (("", "mine"), ("whsec_b3RoZXI=", "whsec_b3RoZXI="), ("", "whsec_b3RoZXI=")):
            assert 302 == operator.post(url(AlertChannel, "change", MINE), {**form, "secret": given}).status_code
            assert kept == AlertChannel.objects.get(pk=MINE).secret
        assert ["target", "secret", None] == [
            str(entry.get_change_message()).split()[-1].rstrip(".").lower() if entry.change_message != "[]" else None
            for entry in LogEntry.objects.order_by("pk")
        ]

    def test_of_a_new_webhook_is_made_and_shown_once(self, operator: Client) -> None:
        form = {"customer": MINE, "channel_type": "webhook", "target": "https://example.com/new", "active": "on"}
        answer = operator.post(url(AlertChannel, "add"), form)
        made = AlertChannel.objects.get(target="https://example.com/new")
        assert made.secret.startswith("whsec_")
        assert (200, made.secret) == (answer.status_code, answer.context["secret"])
        given = operator.post(url(AlertChannel, "add"), {**form, "target": "https://example.com/2", "secret": "own"})
        assert (302, "own") == (given.status_code, AlertChannel.objects.get(target="https://example.com/2").secret)

    def test_of_a_channel_that_becomes_a_webhook_is_shown_once(self, operator: Client) -> None:
        AlertChannel.objects.filter(pk=MINE).update(channel_type="slack", secret="")
        form = {"customer": MINE, "channel_type": "webhook", "target": "https://example.com/", "active": "on"}
        answer = operator.post(url(AlertChannel, "change", MINE), form)
        made = AlertChannel.objects.get(pk=MINE).secret
        assert made.startswith("whsec_")
        assert (200, made) == (answer.status_code, answer.context["secret"])

    def test_of_channels_are_not_for_those_who_only_look(self, viewer: Client, operator: Client) -> None:
        target = "https://hooks.example.com/path-of-a-hook"
        AlertChannel.objects.filter(pk=MINE).update(secret="whsec_c2VjcmV0", target=target)
        assert target in operator.get(url(AlertChannel, "change", MINE)).content.decode()
        for page in (url(AlertChannel, "change", MINE), url(AlertChannel, "changelist")):
            answer = viewer.get(page)
            text = answer.content.decode()
            assert (200, True) == (answer.status_code, "hooks.example.com" in text)
            assert [] == [part for part in ("whsec_", "c2VjcmV0", "path-of-a-hook") if part in text]

    @pytest.mark.parametrize(
        ("model", "lookup"),
        [
            (AlertChannel, "secret__startswith"),
            (AlertChannel, "target"),
            (AlertDelivery, "target__contains"),
            (ApiToken, "digest__startswith"),
        ],
    )
    def test_cannot_be_found_out_by_narrowing_a_list(self, model: type[Model], lookup: str, viewer: Client) -> None:
        assert 400 == viewer.get(url(model, "changelist"), {lookup: "m"}).status_code


@pytest.mark.usefixtures("planted")
class TestChannels:
    @pytest.mark.parametrize(
        ("channel_type", "target", "secret", "wrong"),
        [
            ("email", "ops@example.com", "", {}),
            ("email", "ops", "", {"target"}),
            ("email", "https://example.com/", "", {"target"}),
            ("slack", "https://example.com/hook", "", {}),
            ("slack", "http://example.com/hook", "", {"target"}),
            ("slack", "ops@example.com", "", {"target"}),
            ("webhook", "https:///hook", "", {"target"}),
            ("webhook", "https://example.com:99999/", "", {"target"}),
            ("webhook", "https://[::1/", "", {"target"}),
            ("webhook", "https://example.com/", "whsec_c2VjcmV0", {}),
            ("webhook", "https://example.com/", "whsec_not base64", {"secret"}),
        ],
    )
    def test_are_of_use(
        self, operator: Client, settings: Any, channel_type: str, target: str, secret: str, wrong: set[str]
    ) -> None:
        settings.UPSTREAM_WEBHOOK_ALLOW_PRIVATE = False
        form = {"customer": MINE, "channel_type": channel_type, "target": target, "secret": secret, "active": "on"}
        answer = operator.post(url(AlertChannel, "add"), form)
        found = answer.context["adminform"].form.errors if wrong else {}
        assert set(wrong) == set(found)
        assert (not wrong) == AlertChannel.objects.filter(channel_type=channel_type, target=target).exists()

    def test_by_plain_http_where_that_is_allowed(self, operator: Client, settings: Any) -> None:
        settings.UPSTREAM_WEBHOOK_ALLOW_PRIVATE = True
        form = {"customer": MINE, "channel_type": "slack", "target": "http://127.0.0.1:9/", "active": "on"}
        assert 302 == operator.post(url(AlertChannel, "add"), form).status_code


@pytest.mark.usefixtures("planted")
class TestClaims:
    def test_are_found_by_their_whole_id_as_it_is(self, operator: Client) -> None:
        found = [
            operator.get(url(Claim, "changelist"), {"q": text}).context["cl"].result_count
            for text in ("mine", "MINE", "min")
        ]
        assert [1, 0, 0] == found


@pytest.mark.usefixtures("planted")
class TestActions:
    def test_detection(self, operator: Client) -> None:
        assert "Detection is queued for 2 of them." == act(operator, "detect", *Customer.objects.all())
        queued = Job.objects.filter(name="detect", status="queued")
        assert {MINE, THEIRS} == {job.customer_id for job in queued}

    def test_reports_once(self, operator: Client) -> None:
        Report.objects.all().delete()
        end = timezone.localdate() - datetime.timedelta(days=1)
        for new in (4, 0):
            said = act(operator, "request_reports", Customer.objects.get(pk=MINE))
            assert f"Reports from {end - datetime.timedelta(days=6)} to {end}: {new} new ones are queued." == said
        assert sorted(Report.ReportType) == sorted(report.report_type for report in Report.objects.all())
        assert {(MINE, end)} == {(report.customer_id, report.end) for report in Report.objects.all()}

    def test_acknowledge(self, operator: Client) -> None:
        assert "1 acknowledged." == act(operator, "acknowledge", Alert.objects.get(pk=MINE))
        assert [True, False] == [alert.acknowledged_at is not None for alert in Alert.objects.order_by("pk")]
        assert "1 acknowledged." == act(operator, "acknowledge", *Alert.objects.all())

    def test_revoke(self, operator: Client) -> None:
        customer = Customer.objects.get(pk=MINE)
        token, secret = ApiToken.issue(customer, "uploader")
        assert 200 == bearer(secret).get(f"{API}customer/").status_code
        assert "1 revoked." == act(operator, "revoke", token)
        assert 401 == bearer(secret).get(f"{API}customer/").status_code

    def test_a_failed_job_is_tried_again(self, operator: Client, django_capture_on_commit_callbacks: Any) -> None:
        job = Job.objects.create(
            customer_id=MINE, name="detect", job_type="drift_detection", arguments={"end": "2025-06-30"},
            attempts=3, max_attempts=3, due_at=timezone.now(), finished_at=timezone.now(), status="failed",
            error_type="TimeoutError",
        )  # fmt: skip
        with django_capture_on_commit_callbacks(execute=True):
            assert "1 queued again." == act(operator, "retry", job)
        job.refresh_from_db()
        assert ("queued", None, 3, 6) == (job.status, job.finished_at, job.attempts, job.max_attempts)
        assert job.sent_at is not None
        work()
        job.refresh_from_db()
        assert ("completed", 4, "") == (job.status, job.attempts, job.error_type)

    def test_no_other_job_is(self, operator: Client) -> None:
        customer = Customer.objects.get(pk=MINE)
        ingestion.receive(customer, io.BytesIO(b"nonsense"), "claims.csv")
        work()
        failed, completed = Job.objects.get(name="ingest"), Job.objects.get(pk=MINE)
        gone = Job.objects.create(
            customer=customer, name="gone", job_type="data_export", due_at=timezone.now(), finished_at=timezone.now(),
            status="failed",
        )  # fmt: skip
        assert "failed" == failed.status
        assert "3 not tried again: " in act(operator, "retry", failed, completed, gone)
        assert ["failed", "completed", "failed"] == [
            Job.objects.get(pk=job.pk).status for job in (failed, completed, gone)
        ]

    def test_are_not_for_those_who_only_look(self, viewer: Client) -> None:
        for model in (Customer, Alert, Job, ApiToken):
            page = viewer.get(url(model, "changelist"))
            assert 200 == page.status_code
            assert 'name="action"' not in page.content.decode()
        viewer.post(url(Alert, "changelist"), {"action": "acknowledge", "_selected_action": [MINE]})
        assert None is Alert.objects.get(pk=MINE).acknowledged_at


@pytest.mark.usefixtures("planted")
class TestReports:
    def test_are_opened_from_their_row(self, operator: Client) -> None:
        page = operator.get(url(Report, "changelist")).content.decode()
        for form, kind in (("html", "text/html; charset=utf-8"), ("csv", "text/csv; charset=utf-8")):
            assert f'href="{url(Report, form, MINE)}"' in page
            answer = operator.get(url(Report, form, MINE))
            assert (200, kind, POLICY) == (
                answer.status_code,
                answer["Content-Type"],
                answer["Content-Security-Policy"],
            )
            assert "mine" in answer.content.decode()
            assert "nosniff" == answer["X-Content-Type-Options"]

    def test_are_not_there_before_they_are_completed(self, operator: Client) -> None:
        Report.objects.filter(pk=MINE).update(status="pending", finished_at=None)
        assert url(Report, "html", MINE) not in operator.get(url(Report, "changelist")).content.decode()
        assert 404 == operator.get(url(Report, "html", MINE)).status_code

    def test_are_for_those_who_may_look(self, viewer: Client, client: Client) -> None:
        assert 200 == viewer.get(url(Report, "html", MINE)).status_code
        assert 302 == client.get(url(Report, "html", MINE)).status_code
        client.force_login(User.objects.create_user("clerk", is_staff=True))
        assert [403, 403] == [client.get(url(Report, form, MINE)).status_code for form in ("html", "csv")]


class TestCustomers:
    @pytest.mark.usefixtures("planted")
    def test_a_code_is_given_once(self, operator: Client) -> None:
        form = {"code": "renamed", "name": "New name", "alert_email": ""}
        assert 302 == operator.post(url(Customer, "change", MINE), form).status_code
        customer = Customer.objects.get(pk=MINE)
        assert ("mine", "New name") == (customer.code, customer.name)

    @pytest.mark.usefixtures("planted")
    def test_with_claims_cannot_be_deleted(self, operator: Client) -> None:
        for model in (Customer, Payer):
            row = model._default_manager.get(pk=MINE)
            assert 403 == operator.post(url(model, "delete", MINE), {"post": "yes"}).status_code
            assert "delete_selected" not in operator.get(url(model, "changelist")).content.decode()
            act(operator, "delete_selected", row)
            assert [row] == list(model._default_manager.filter(pk=MINE))
        assert 1 == Claim.objects.filter(customer_id=MINE).count()

    @pytest.mark.parametrize("model", [Customer, Payer])
    def test_without_claims_can_be_deleted(self, model: type[Model], operator: Client) -> None:
        row = model._default_manager.create(code="new", name="New")
        assert 302 == operator.post(url(model, "delete", row.pk), {"post": "yes"}).status_code
        assert not model._default_manager.exists()
