"""Detection, events, alerts, reports and jobs over HTTP, and what all lists and errors have in common."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from upstream import generator, ingestion
from upstream.api.report_content import POLICY
from upstream.models import Alert, Customer, DriftEvent, Job, Payer, Report
from upstream.tests.conftest import line, stream, work
from upstream.tests.programs import API, program, results

TODAY = datetime.date(2025, 6, 30)


@pytest.fixture
def web(customer: Customer) -> Client:
    return program(customer)


def job(customer: Customer, **fields: Any) -> Job:
    values = {"name": "detect", "job_type": "drift_detection", "due_at": timezone.now(), **fields}
    return Job.objects.create(customer=customer, **values)


def event(customer: Customer, payer: Payer, **fields: Any) -> DriftEvent:
    values: dict[str, Any] = {
        "job": job(customer), "product": "DenialScope", "drift_type": "denial_rate", "severity": 0.8, "baseline": 0.1,
        "current": 0.3, "baseline_size": 900, "current_size": 300, "effect": 0.5, "p_value": 0.001,
        "window_start": TODAY, "window_end": TODAY, **fields,
    }  # fmt: skip
    return DriftEvent.objects.create(customer=customer, payer=payer, **values)


def alert(customer: Customer, payer: Payer, **fields: Any) -> Alert:
    values = {"severity": "high", "title": "Aetna denies more", "body": "…", **fields}
    return Alert.objects.create(event=event(customer, payer), customer=customer, **values)


def report(customer: Customer, **fields: Any) -> Report:
    values: dict[str, Any] = {"report_type": "drift_summary", "start": TODAY, "end": TODAY, **fields}
    return Report.objects.create(customer=customer, **values)


class TestDetections:
    @pytest.fixture
    def demo(self, db: None, settings: Any) -> Client:
        # What is found is what is asked for.
        settings.UPSTREAM_DETECT_AFTER_INGESTION = False
        customer = Customer.objects.create(code="demo", name="Demo", alert_email="ops@demo.example.com")
        for code, name in generator.PAYERS.items():
            Payer.objects.create(code=code, name=name)
        text = io.StringIO()
        generator.write(generator.claims(8_000, 1, "demo", generator.drifting("humana")), text)
        ingestion.ingest_now(customer, io.BytesIO(text.getvalue().encode()), "claims.csv")
        return program(customer)

    def test_a_job_finds_events_and_raises_alerts(self, demo: Client) -> None:
        answer = demo.post(f"{API}detections/", {}, content_type="application/json")
        assert (202, "detect", "queued") == (answer.status_code, answer.json()["name"], answer.json()["status"])
        work()
        done = demo.get(f"{API}jobs/{answer.json()['id']}/").json()
        assert ("completed", "2025-06-01", "2025-06-30") == (
            done["status"],
            done["result"]["window_start"],
            done["result"]["window_end"],
        )
        events = results(demo.get(f"{API}events/", {"payer": "humana"}))
        assert {"payment_delay", "denial_rate"} <= {each["drift_type"] for each in events}
        assert {done["id"]} == {each["job"] for each in events}
        raised = {each["alert"] for each in events} - {None}
        alerts = results(demo.get(f"{API}alerts/"))
        assert raised == {each["id"] for each in alerts} != set()
        assert {"delivered"} == {each["status"] for each in alerts}

    def test_nothing_on_file(self, web: Client) -> None:
        made = web.post(f"{API}detections/", {}, content_type="application/json").json()
        work()
        done = web.get(f"{API}jobs/{made['id']}/").json()
        assert ("completed", 0) == (done["status"], done["result"]["events"])

    def test_up_to_a_day(self, web: Client) -> None:
        for body in ({"end": "2025-05-31"}, {"end": None}):
            assert 202 == web.post(f"{API}detections/", body, content_type="application/json").status_code
        assert ["2025-05-31", None] == [each.arguments["end"] for each in Job.objects.order_by("pk")]

    @pytest.mark.parametrize("given", ["tomorrow", "2025-13-01", "0001-01-01"])
    def test_bad_date(self, web: Client, given: str) -> None:
        answer = web.post(f"{API}detections/", {"end": given}, content_type="application/json")
        error = f"'end': '{given}' is not a date from 2000-01-01 on; valid is one such as 2025-01-31"
        assert (400, {"error": error}) == (answer.status_code, answer.json())
        assert 0 == Job.objects.count()


class TestEvents:
    def test_one(self, web: Client, customer: Customer, payers: list[Payer]) -> None:
        made = event(customer, payers[0], subject="CO-16", suppressed="cooldown")
        body = web.get(f"{API}events/{made.pk}/").json()
        assert ("aetna", "CO-16", 0.8, 0.1, 0.3, "2025-06-30", "cooldown", None) == tuple(
            body[name]
            for name in ("payer", "subject", "severity", "baseline", "current", "window_end", "suppressed", "alert")
        )

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, ["c", "b", "a"]),
            ({"drift_type": "payment_delay"}, ["b"]),
            ({"payer": "cigna"}, ["c"]),
            ({"min_severity": "0.5"}, ["c", "a"]),
            ({"min_severity": "0.5", "payer": "aetna"}, ["a"]),
            ({"payer": "nobody"}, []),
        ],
    )
    def test_filters(
        self, web: Client, customer: Customer, payers: list[Payer], wanted: dict[str, str], found: list[str]
    ) -> None:
        aetna, cigna = payers
        event(customer, aetna, subject="a")
        event(customer, aetna, subject="b", drift_type="payment_delay", severity=0.4)
        event(customer, cigna, subject="c", severity=0.5)
        assert found == [each["subject"] for each in results(web.get(f"{API}events/", wanted))]


class TestAlerts:
    def test_one_with_its_deliveries_but_not_their_addresses(
        self, web: Client, customer: Customer, payers: list[Payer]
    ) -> None:
        made = alert(customer, payers[0])
        delivery = made.deliveries.create(channel_type="slack", target="https://hooks.example.com/secret", attempts=2)
        answer = web.get(f"{API}alerts/{made.pk}/")
        assert [
            {
                "message_id": str(delivery.message_id),
                "channel": None,
                "channel_type": "slack",
                "status": "pending",
                "attempts": 2,
                "error_type": "",
                "last_tried_at": None,
                "delivered_at": None,
            }
        ] == answer.json()["deliveries"]
        assert "hooks.example.com" not in answer.content.decode()

    def test_acknowledged_once(self, web: Client, customer: Customer, payers: list[Payer]) -> None:
        made, other = alert(customer, payers[0]), alert(customer, payers[0])
        first, second = (web.post(f"{API}alerts/{made.pk}/acknowledge/") for _ in range(2))
        assert 200 == first.status_code
        assert None is not first.json()["acknowledged_at"] == second.json()["acknowledged_at"]
        other.refresh_from_db()
        assert None is other.acknowledged_at

    def test_filters(self, web: Client, customer: Customer, payers: list[Payer]) -> None:
        alert(customer, payers[0], severity="low")
        high = alert(customer, payers[0])
        assert [high.pk] == [each["id"] for each in results(web.get(f"{API}alerts/", {"severity": "high"}))]
        assert [] == results(web.get(f"{API}alerts/", {"status": "failed"}))


class TestReports:
    def test_one_that_is_asked_for(self, web: Client, customer: Customer, payers: list[Payer]) -> None:
        denied = {"denied": "true", "paid_amount": "", "denial_reason": "not covered"}
        lines = [line(claim_id=f"C-{each}", **({} if each % 4 else denied)) for each in range(40)]
        ingestion.ingest_now(customer, stream(*lines), "claims.csv")
        body = {"report_type": "denial_analysis", "start": "2025-01-01", "end": "2025-01-31"}
        answer = web.post(f"{API}reports/", body, content_type="application/json")
        made = Report.objects.get()
        assert 202 == answer.status_code
        assert {"id": made.pk, **body, "status": "pending", "error": "", "finished_at": None} == {
            name: value for name, value in answer.json().items() if name != "created_at"
        }
        work()
        assert "completed" == web.get(f"{API}reports/{made.pk}/").json()["status"]
        page = web.get(f"{API}reports/{made.pk}/html/").content.decode()
        assert (True, True) == ("<svg" in page, "Mercy West" in page)
        assert "aetna" in web.get(f"{API}reports/{made.pk}/csv/").content.decode().lower()

    def test_one_without_anything_to_tell(self, web: Client) -> None:
        body = {"report_type": "denial_analysis", "start": "2025-01-01", "end": "2025-01-31"}
        made = web.post(f"{API}reports/", body, content_type="application/json").json()
        work()
        done = web.get(f"{API}reports/{made['id']}/").json()
        assert ("failed", True) == (done["status"], bool(done["error"]))

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"report_type": "weather"}, "'report_type': \"weather\" is not a valid choice."),
            ({"start": "soon"}, "'start': Date has wrong format."),
            ({"end": "2025-05-31"}, "days: 2025-06-01 is after 2025-05-31;"),
            ({"start": "1999-12-31"}, "days: 1999-12-31 is before there are claims;"),
            ({"start": "2010-01-01"}, "days: 2010-01-01 to 2025-06-30 are 5,660;"),
            ({"start": "2999-01-01", "end": "2999-01-01"}, "days: 2999-01-01 is after today;"),
            ({"end": None}, "'end': This field may not be null."),
        ],
    )
    def test_bad_request(self, web: Client, changes: dict[str, Any], error: str) -> None:
        body = {"report_type": "denial_analysis", "start": "2025-06-01", "end": "2025-06-30", **changes}
        answer = web.post(f"{API}reports/", body, content_type="application/json")
        assert (400, True) == (answer.status_code, answer.json()["error"].startswith(error)), answer.json()
        assert 0 == Report.objects.count()

    @pytest.mark.parametrize(
        ("form", "kind", "content", "disposition"),
        [
            ("html", "text/html; charset=utf-8", "<p>é</p>", None),
            (
                "csv",
                "text/csv; charset=utf-8",
                "payer\né\n",
                'attachment; filename="drift_summary_2025-06-30_2025-06-30.csv"',
            ),
        ],
    )
    def test_content_that_no_browser_trusts(
        self, web: Client, customer: Customer, form: str, kind: str, content: str, disposition: str | None
    ) -> None:
        made = report(customer, status="completed", finished_at=timezone.now(), html="<p>é</p>", csv="payer\né\n")
        answer = web.get(f"{API}reports/{made.pk}/{form}/", headers={"Accept": "application/json"})
        assert (200, kind, content) == (answer.status_code, answer["Content-Type"], answer.content.decode())
        assert disposition == answer.get("Content-Disposition")
        assert {
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cache-Control": "private, no-store",
            "Referrer-Policy": "no-referrer",
        }.items() <= answer.headers.items()
        assert POLICY.startswith("sandbox; default-src 'none';")
        assert "script" not in POLICY

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_content_that_is_not_there(self, web: Client, customer: Customer, status: str) -> None:
        made = report(customer, status=status, finished_at=timezone.now() if status == "failed" else None)
        for form in ("html", "csv"):
            answer = web.get(f"{API}reports/{made.pk}/{form}/", headers={"Accept": "text/csv"})
            error = f"report {made.pk} is {status}, not completed"
            assert (409, {"error": error}) == (answer.status_code, answer.json())

    def test_lists_without_what_is_in_them(self, web: Client, customer: Customer) -> None:
        made = report(customer, html="long", csv="long")
        with CaptureQueriesContext(connection) as found:
            assert "long" not in str(results(web.get(f"{API}reports/", {"report_type": "drift_summary"})))
            assert "long" not in str(web.get(f"{API}reports/{made.pk}/").json())
        read = [query["sql"] for query in found if "upstream_report" in query["sql"]]
        assert (2, []) == (len(read), [sql for sql in read if '"html"' in sql or '"csv"' in sql])


class TestJobs:
    def test_one(self, web: Client, customer: Customer) -> None:
        made = job(
            customer, status="failed", finished_at=timezone.now(), error_type="OperationalError", error="secret",
            arguments={"end": "secret"}, attempts=3, max_attempts=3,
        )  # fmt: skip
        answer = web.get(f"{API}jobs/{made.pk}/")
        body = answer.json()
        assert ("detect", "drift_detection", "failed", {}, "OperationalError", 3, 3) == tuple(
            body[name] for name in ("name", "job_type", "status", "result", "error_type", "attempts", "max_attempts")
        )
        assert "secret" not in answer.content.decode()

    def test_filters(self, web: Client, customer: Customer) -> None:
        waiting, done = job(customer), job(customer, status="completed", finished_at=timezone.now())
        assert [done.pk, waiting.pk] == [each["id"] for each in results(web.get(f"{API}jobs/"))]
        assert [waiting.pk] == [each["id"] for each in results(web.get(f"{API}jobs/", {"status": "queued"}))]
        assert [] == results(web.get(f"{API}jobs/", {"job_type": "data_sync"}))


class TestLists:
    def test_pages(self, web: Client, customer: Customer) -> None:
        for _ in range(5):
            job(customer)
        expected = [each.pk for each in Job.objects.order_by("-pk")]
        found, url, back = [], f"{API}jobs/?page_size=2", ""
        while url:
            page = web.get(url).json()
            found.append([each["id"] for each in page["results"]])
            job(customer)
            url, back = page["next"], page["previous"]
        assert [expected[:2], expected[2:4], expected[4:]] == found
        assert found[1] == [each["id"] for each in results(web.get(back))]

    @pytest.mark.parametrize(
        ("wanted", "error"),
        [
            (
                {"state": "queued"},
                "'state': is no parameter of this list; valid are cursor, job_type, page_size, status",
            ),
            ({"status": "gone"}, "'status': \"gone\" is not a valid choice."),
            ({"page_size": "0"}, "'page_size': '0' is not a whole number from 1 to 200"),
            ({"page_size": "201"}, "'page_size': '201' is not a whole number from 1 to 200"),
            ({"page_size": "9" * 5000}, f"'page_size': '{'9' * 60}... (5,000 characters)' is not a whole number"),
            ({"cursor": "rubbish!"}, "'cursor': 'rubbish!' is none that the field 'next' or 'previous'"),
            ({"cursor": "cD1hYmM="}, "'cursor': 'cD1hYmM=' is none that the field 'next' or 'previous'"),
        ],
    )
    def test_bad_parameters(self, web: Client, wanted: dict[str, str], error: str) -> None:
        answer = web.get(f"{API}jobs/", wanted)
        assert (400, True) == (answer.status_code, answer.json()["error"].startswith(error)), answer.json()

    @pytest.mark.parametrize("name", ["batches", "events", "alerts", "reports", "jobs"])
    def test_as_many_queries_for_many_rows_as_for_one(
        self, web: Client, customer: Customer, payers: list[Payer], name: str, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(10):
            alert(customer, payers[number % 2])
            report(customer)
            customer.batches.create(filename="one.csv")
        # One for the token, one for the rows.
        with django_assert_max_num_queries(2):
            assert 10 == len(results(web.get(f"{API}{name}/")))

    @pytest.mark.parametrize("name", ["batches", "alerts"])
    def test_few_queries_for_one_row_with_all_that_belongs_to_it(
        self, web: Client, customer: Customer, payers: list[Payer], name: str, django_assert_max_num_queries: Any
    ) -> None:
        made = alert(customer, payers[0])
        batch = customer.batches.create(filename="one.csv")
        for number in range(10):
            made.deliveries.create(channel_type="email", target=f"{number}@example.com")
            batch.rejected_rows.create(line_number=number, row={}, reasons=[])
        with django_assert_max_num_queries(4):
            assert 200 == web.get(f"{API}{name}/{made.pk if name == 'alerts' else batch.pk}/").status_code


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "path", "status", "error"),
        [
            ("GET", "jobs/7/", 404, "/api/v1/jobs/7/ is not there: the customer has nothing with this id"),
            ("GET", f"jobs/{'9' * 40}/", 404, None),
            ("GET", "nowhere/", 404, "/api/v1/nowhere/ is not there; /api/v1/schema/ says what is"),
            ("GET", "jobs/seven/", 404, "/api/v1/jobs/seven/ is not there; /api/v1/schema/ says what is"),
            ("GET", "detections/", 405, "/api/v1/detections/ takes POST, OPTIONS, not GET"),
            ("DELETE", "alerts/", 405, "/api/v1/alerts/ takes GET, HEAD, OPTIONS, not DELETE"),
            ("POST", "detections/", 415, 'Unsupported media type "text/xml" in request.'),
        ],
    )
    def test_are_json(self, web: Client, method: str, path: str, status: int, error: str | None) -> None:
        headers = {"Accept": "text/html"}
        answer = web.generic(method, f"{API}{path}", "<a/>", content_type="text/xml", headers=headers)
        assert (status, "application/json") == (answer.status_code, answer["Content-Type"])
        assert error in (None, answer.json()["error"])

    def test_our_own_fault_too(self, web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*arguments: Any) -> None:
            raise RuntimeError("secret")

        monkeypatch.setattr("upstream.detection.request", broken)
        answer = web.post(f"{API}detections/", {}, content_type="application/json")
        error = "the request failed here, and that is recorded; try again later"
        assert (500, {"error": error}) == (answer.status_code, answer.json())

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("name", ["detections", "reports", "schema", "jobs/7"])
    def test_a_path_without_its_slash_is_not_redirected(self, web: Client, method: str, name: str) -> None:
        answer = web.generic(method, f"{API}{name}", "{}", content_type="application/json")
        assert (404, {"error": f"{API}{name} is not there; {API}{name}/ is"}) == (answer.status_code, answer.json())

    @pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
    def test_a_body_that_is_too_large(self, web: Client, settings: Any, kind: str) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
        sent = [web.generic("POST", f"{API}detections/", b" " * size, content_type=kind) for size in (1_000, 1_001)]
        assert 413 != sent[0].status_code
        assert (413, {"error": "the body is larger than 1,000 bytes"}) == (sent[1].status_code, sent[1].json())

    def test_a_form_of_too_many_fields(self, web: Client, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 2
        answer = web.generic(
            "POST", f"{API}detections/", b"a=1&b=2&c=3", content_type="application/x-www-form-urlencoded"
        )
        error = "the request cannot be read (TooManyFieldsSent)"
        assert (400, {"error": error}) == (answer.status_code, answer.json())

    @pytest.mark.parametrize("name", ["detections", "reports"])
    @pytest.mark.parametrize("depth", [400, 100_000])
    def test_a_body_that_is_nested_too_deeply(self, web: Client, name: str, depth: int) -> None:
        body = f'{{"end": {"[" * depth}{"]" * depth}}}'
        answer = web.post(f"{API}{name}/", body, content_type="application/json")
        assert (400, {"error"}) == (answer.status_code, set(answer.json()))

    @pytest.mark.parametrize("body", [r'{"report_type": "\ud800"}', r'{"end": "\ud800"}', r'"\ud800"'])
    def test_half_of_a_surrogate_pair(self, web: Client, body: str) -> None:
        for name in ("detections", "reports"):
            answer = web.post(f"{API}{name}/", body, content_type="application/json")
            assert (400 if "end" in body or name == "reports" or body[0] == '"' else 202) == answer.status_code, name
            answer.json()

    @pytest.mark.parametrize("given", ["many", "-1", "1e3", "9" * 5_000])
    @pytest.mark.parametrize("name", ["batches", "detections"])
    def test_a_length_that_is_none(self, web: Client, name: str, given: str) -> None:
        kind = "multipart/form-data; boundary=x" if name == "batches" else "application/json"
        answer = web.generic("POST", f"{API}{name}/", b"{}", content_type=kind, CONTENT_LENGTH=given)
        error = "the header Content-Length is not a number of bytes"
        assert (400, {"error": error}) == (answer.status_code, answer.json())

    def test_a_host_that_is_not_ours(self, web: Client, client: Client) -> None:
        answer = web.get(f"{API}jobs/", headers={"Host": "elsewhere.example.com"})
        assert (400, {"error": "the request cannot be read (DisallowedHost)"}) == (answer.status_code, answer.json())
        page = client.get("/admin/", headers={"Host": "elsewhere.example.com"})
        assert (400, True) == (page.status_code, page["Content-Type"].startswith("text/html"))

    def test_people_get_a_page(self, client: Client) -> None:
        answer = client.get("/nowhere/")
        assert (404, True) == (answer.status_code, answer["Content-Type"].startswith("text/html"))


class TestSchema:
    def test_is_valid_and_complete(self) -> None:
        out = io.StringIO()
        call_command("spectacular", "--validate", "--fail-on-warn", "--format=openapi-json", stdout=out)

    def test_is_served(self, web: Client) -> None:
        described = web.get(f"{API}schema/", headers={"Accept": "text/html"}).json()
        operations = {
            (path, method): operation
            for path, methods in described["paths"].items()
            for method, operation in methods.items()
        }
        assert 18 == len(operations)
        assert all({"401", "429"} <= set(each["responses"]) for each in operations.values())
        assert all(each["description"] for each in operations.values())
        assert all(("404" in each["responses"]) == ("{id}" in path) for (path, _), each in operations.items())
        assert all(("413" in each["responses"]) == ("requestBody" in each) for each in operations.values())
        upload = operations[f"{API}batches/", "post"]
        assert ["202", "400", "401", "413", "429"] == sorted(upload["responses"])
        assert ["multipart/form-data"] == list(upload["requestBody"]["content"])
        assert {(f"{API}{name}/", "post") for name in ("batches", "detections", "reports")} == {
            key for key, each in operations.items() if "202" in each["responses"]
        }
        assert "Retry-After" in upload["responses"]["429"]["headers"]
        assert [{"tokenAuth": []}] == upload["security"]
