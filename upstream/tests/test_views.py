from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from upstream import generator, views
from upstream.ingestion import ingest
from upstream.models import Claim, ClaimBatch, Customer, Job, Payer
from upstream.tests.conftest import Calls, line, named, stream

UPLOAD, BATCHES, DETECTION = "/claims/upload/", "/claims/batches/", "/detection/run/"


def file(content: bytes, name: str = "claims.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/csv")


@pytest.fixture
def web() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.mark.usefixtures("payers")
class TestUpload:
    def test_answers_with_the_batch(self, web: Client, customer: Customer, tracked: Calls) -> None:
        content = stream(line(), line(claim_id="C-2", payer="nobody")).getvalue()
        answer = web.post(UPLOAD, {"customer": "mercy", "file": file(content)})
        batch = ClaimBatch.objects.get()
        assert 201 == answer.status_code
        assert {
            "batch": batch.pk,
            "filename": "claims.csv",
            "status": "partial",
            "rows": 2,
            "accepted": 1,
            "rejected": 1,
            "error": "",
            "scores": {"completeness": 1.0, "accuracy": 0.5, "timeliness": 1.0, "consistency": 1.0},
            "first_rejected": [{"line": 3, "reasons": batch.rejected_rows.get().reasons}],
        } == answer.json()
        assert [("claims_upload", "POST", "mercy")] == named(tracked, "track_api_call")

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"a,b\n1,2\n", "claims.csv: line 1: wrong header (missing: customer"),
            ("é".encode("latin-1"), "claims.csv: line 1: byte 0xe9 at position 1 is not UTF-8"),
            (stream(line()).getvalue() + b"x" * 5_000_000, "claims.csv: line 3: longer than 65,536 bytes"),
            (stream(line()).getvalue()[:-60], "claims.csv: line 2: the file ends in the middle of a row"),
        ],
    )
    def test_unusable_file(self, web: Client, customer: Customer, content: bytes, error: str) -> None:
        answer = web.post(UPLOAD, {"customer": "mercy", "file": file(content)})
        assert 400 == answer.status_code
        assert error in answer.json()["error"]
        assert 0 == Claim.objects.count()
        assert "failed" == ClaimBatch.objects.get().status

    def test_empty_file(self, web: Client, customer: Customer) -> None:
        answer = web.post(UPLOAD, {"customer": "mercy", "file": file(b"")})
        assert (400, True) == (answer.status_code, "the file is empty" in answer.json()["error"])

    def test_unknown_customer(self, web: Client, customer: Customer, tracked: Calls) -> None:
        answer = web.post(UPLOAD, {"customer": "nobody" * 50, "file": file(stream(line()).getvalue())})
        assert 404 == answer.status_code
        assert "(300 characters)' is not known" in answer.json()["error"]
        assert (0, 0) == (ClaimBatch.objects.count(), Job.objects.count())
        assert [] == tracked

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({}, "'customer' is missing"),
            ({"customer": "mercy"}, "'file' is missing"),
            ({"customer": "mercy", "file": "text"}, "'file' is missing"),
        ],
    )
    def test_missing_field(self, web: Client, customer: Customer, fields: dict[str, str], error: str) -> None:
        answer = web.post(UPLOAD, fields)
        assert 400 == answer.status_code
        assert error in answer.json()["error"]

    def test_too_large(self, web: Client, customer: Customer, settings: Any) -> None:
        settings.UPSTREAM_MAX_UPLOAD_BYTES = 100_000
        answer = web.post(UPLOAD, {"file": file(b"x" * 100_001), "customer": "mercy"})
        assert 413 == answer.status_code
        assert "larger than 100,000 bytes" in answer.json()["error"]
        assert 0 == ClaimBatch.objects.count()

    def test_as_large_as_allowed(self, web: Client, customer: Customer, settings: Any) -> None:
        content = stream(line()).getvalue()
        settings.UPSTREAM_MAX_UPLOAD_BYTES = len(content)
        assert 201 == web.post(UPLOAD, {"customer": "mercy", "file": file(content)}).status_code

    def test_body_that_is_no_form(self, web: Client, customer: Customer) -> None:
        answer = web.post(UPLOAD, b"nonsense", content_type="multipart/form-data; boundary=")
        assert 400 == answer.status_code
        assert "cannot be read as multipart/form-data" in answer.json()["error"]

    def test_body_that_was_cut_off(self, web: Client, customer: Customer) -> None:
        content = stream(*(line(claim_id=f"C-{number}") for number in range(9))).getvalue()
        body = encode_multipart(BOUNDARY, {"customer": "mercy", "file": file(content)})
        # The cut is at the end of a row: the part that came looks whole.
        came = body[: body.index(b"mercy,aetna,C-5")]
        environ = {
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": MULTIPART_CONTENT,
            "wsgi.input": io.BytesIO(came),
        }
        answer = web.generic("POST", UPLOAD, **environ)
        assert 400 == answer.status_code
        assert f"cut off on its way: {len(came):,} of {len(body):,} bytes" in answer.json()["error"]
        assert 0 == Claim.objects.count()

    def test_nothing_is_left_on_disk(self, web: Client, customer: Customer, tmp_path: Path, settings: Any) -> None:
        settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
        for name in ("mercy", "nobody"):
            web.post(UPLOAD, {"customer": name, "file": file(stream(line()).getvalue()), "other": file(b"x")})
        assert [] == list(tmp_path.iterdir())

    def test_other_method(self, web: Client) -> None:
        answer = web.get(UPLOAD)
        assert (405, "POST") == (answer.status_code, answer["Allow"])
        assert "/claims/upload/ takes POST, not GET" == answer.json()["error"]

    def test_even_a_small_file_comes_from_disk(
        self, web: Client, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def look(customer: Customer, content: Any, filename: str) -> ClaimBatch:
            seen.append(Path(content.name).read_bytes())
            return ingest(customer, content, filename)

        seen: list[bytes] = []
        monkeypatch.setattr(views, "ingest", look)
        content = stream(line()).getvalue()
        assert 201 == web.post(UPLOAD, {"customer": "mercy", "file": file(content)}).status_code
        assert [content] == seen


class TestToken:
    @pytest.mark.parametrize(("method", "path"), [("post", UPLOAD), ("get", BATCHES), ("post", DETECTION)])
    @pytest.mark.parametrize(
        ("headers", "refused"),
        [({}, True), ({"X-Upstream-Token": "wröng"}, True), ({"X-Upstream-Token": "right"}, False)],
    )
    def test_is_needed_where_one_is_set(
        self, db: None, web: Client, settings: Any, method: str, path: str, headers: dict[str, str], refused: bool
    ) -> None:
        settings.UPSTREAM_UPLOAD_TOKEN = "right"
        answer = getattr(web, method)(path, headers=headers)
        assert refused == (answer.status_code == 401)
        assert refused == ("X-Upstream-Token" in answer.json()["error"])


class TestBatches:
    def test_newest_first(self, web: Client, customer: Customer) -> None:
        for name in ("one.csv", "two.csv"):
            ClaimBatch.objects.create(customer=customer, filename=name)
        ClaimBatch.objects.create(customer=Customer.objects.create(code="other", name="O"), filename="three.csv")
        answer = web.get(BATCHES, {"customer": "mercy"})
        assert ["two.csv", "one.csv"] == [batch["filename"] for batch in answer.json()["batches"]]


class TestDetection:
    @pytest.fixture
    def demo(self, db: None, web: Client) -> None:
        Customer.objects.create(code="demo", name="Demo")
        for code, name in generator.PAYERS.items():
            Payer.objects.create(code=code, name=name)
        text = io.StringIO()
        generator.write(generator.claims(8_000, 1, "demo", "humana"), text)
        assert 201 == web.post(UPLOAD, {"customer": "demo", "file": file(text.getvalue().encode())}).status_code

    @pytest.mark.usefixtures("demo")
    def test_answers_with_events_and_alerts(self, web: Client) -> None:
        answer = web.post(DETECTION, {"customer": "demo"}).json()
        assert ("2025-06-01", "2025-06-30") == (answer["window_start"], answer["window_end"])
        assert {("humana", "payment_delay"), ("humana", "denial_rate")} == {
            (event["payer"], event["drift_type"]) for event in answer["events"]
        }
        assert ["delivered", "delivered"] == [alert["status"] for alert in answer["alerts"]]
        again = web.post(DETECTION, {"customer": "demo"}).json()
        assert [] == again["alerts"]
        assert ["duplicate", "duplicate"] == [event["suppressed"] for event in again["events"]]

    @pytest.mark.parametrize("given", ["tomorrow", "2025-13-01", "0001-01-01"])
    def test_bad_date(self, web: Client, customer: Customer, given: str) -> None:
        answer = web.post(DETECTION, {"customer": "mercy", "end": given})
        assert 400 == answer.status_code
        assert f"'end': '{given}' is not a date from 2000-01-01 on" in answer.json()["error"]

    def test_nothing_on_file(self, web: Client, customer: Customer) -> None:
        answer = web.post(DETECTION, {"customer": "mercy"})
        assert (200, None, []) == (answer.status_code, answer.json()["window_end"], answer.json()["events"])
