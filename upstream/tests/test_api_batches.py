from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from upstream import ingestion
from upstream.models import Claim, ClaimBatch, Customer, Job
from upstream.tests.conftest import Calls, line, named, stream, work
from upstream.tests.programs import API, file, program, results

BATCHES = f"{API}batches/"


@pytest.fixture
def web(customer: Customer) -> Client:
    return program(customer)


@pytest.mark.usefixtures("payers")
class TestUpload:
    def test_answers_with_the_batch_and_its_job(self, web: Client, tracked: Calls) -> None:
        answer = web.post(BATCHES, {"file": file(stream(line()).getvalue())})
        batch, job = ClaimBatch.objects.get(), Job.objects.get()
        assert 202 == answer.status_code
        body = answer.json()
        assert {
            "id": batch.pk,
            "filename": "claims.csv",
            "status": "processing",
            "rows": 0,
            "accepted_count": 0,
            "rejected_count": 0,
            "error": "",
            "finished_at": None,
        } == {name: value for name, value in body["batch"].items() if name != "received_at"}
        assert (job.pk, "ingest", "queued") == (body["job"]["id"], body["job"]["name"], body["job"]["status"])
        assert [("batches-list", "POST", "mercy")] == named(tracked, "track_api_call")

    def test_the_job_is_that_of_the_batch(self, web: Client) -> None:
        answers = [web.post(BATCHES, {"file": file(stream(line()).getvalue())}).json() for _ in range(3)]
        arguments = {job.pk: job.arguments for job in Job.objects.all()}
        assert {answer["job"]["id"]: {"batch": answer["batch"]["id"]} for answer in answers} == arguments

    def test_a_worker_ingests_it(self, web: Client) -> None:
        content = stream(line(), line(claim_id="C-2", payer="nobody")).getvalue()
        body = web.post(BATCHES, {"file": file(content)}).json()
        assert 2 == work(), "it, and the detection that follows"
        batch = web.get(f"{BATCHES}{body['batch']['id']}/").json()
        rejected = ClaimBatch.objects.get().rejected_rows.get()
        assert ("partial", 2, 1, 1) == (
            batch["status"],
            batch["rows"],
            batch["accepted_count"],
            batch["rejected_count"],
        )
        assert {"completeness": 1.0, "accuracy": 0.5, "timeliness": 1.0, "consistency": 1.0} == batch["scores"]
        assert [{"line_number": 3, "reasons": rejected.reasons}] == batch["first_rejected"]
        assert "nobody" == batch["first_rejected"][0]["reasons"][0]["given"]
        job = web.get(f"{API}jobs/{body['job']['id']}/").json()
        assert ("completed", {"rows": 2, "accepted": 1}, 1) == (job["status"], job["result"], job["attempts"])

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"a,b\n1,2\n", "line 1: wrong header (missing: customer"),
            ("é".encode("latin-1"), "line 1: byte 0xe9 at position 1 is not UTF-8"),
            (stream(line()).getvalue() + b"x" * 5_000_000, "line 3: longer than 65,536 bytes"),
            (stream(line()).getvalue()[:-60], "line 2: the file ends in the middle of a row"),
        ],
    )
    def test_unusable_file(self, web: Client, content: bytes, error: str) -> None:
        body = web.post(BATCHES, {"file": file(content)}).json()
        assert 1 == work()
        batch = web.get(f"{BATCHES}{body['batch']['id']}/").json()
        assert ("failed", True) == (batch["status"], error in batch["error"]), batch["error"]
        job = web.get(f"{API}jobs/{body['job']['id']}/").json()
        assert ("failed", "FileRejected") == (job["status"], job["error_type"])
        assert 0 == Claim.objects.count()

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({}, "'file': is missing: send a CSV file as multipart/form-data"),
            ({"file": "text"}, "'file': is missing: send a CSV file as multipart/form-data"),
            ({"file": file(b"", "nothing.csv")}, "'file': 'nothing.csv' is empty"),
        ],
    )
    def test_no_file(self, web: Client, fields: dict[str, Any], error: str) -> None:
        answer = web.post(BATCHES, fields)
        assert (400, {"error": error}) == (answer.status_code, answer.json())
        assert (0, 0) == (ClaimBatch.objects.count(), Job.objects.count())

    def test_too_large(self, web: Client, settings: Any) -> None:
        settings.UPSTREAM_MAX_UPLOAD_BYTES = 100_000
        answer = web.post(BATCHES, {"file": file(b"x" * 100_001)})
        assert (413, {"error": "the file is larger than 100,000 bytes; send it in parts"}) == (
            answer.status_code,
            answer.json(),
        )
        assert 0 == ClaimBatch.objects.count()

    def test_as_large_as_allowed(self, web: Client, settings: Any) -> None:
        content = stream(line()).getvalue()
        settings.UPSTREAM_MAX_UPLOAD_BYTES = len(content)
        assert 202 == web.post(BATCHES, {"file": file(content)}).status_code

    @pytest.mark.parametrize("kind", ["multipart/form-data; boundary=", "application/json", "text/csv"])
    def test_body_that_is_no_form(self, web: Client, kind: str) -> None:
        answer = web.post(BATCHES, b"nonsense", content_type=kind)
        assert 400 == answer.status_code
        assert "cannot be read as multipart/form-data" in answer.json()["error"]

    def test_body_that_was_cut_off(self, web: Client) -> None:
        content = stream(*(line(claim_id=f"C-{number}") for number in range(9))).getvalue()
        body = encode_multipart(BOUNDARY, {"file": file(content)})
        # The cut is at the end of a row: the part that came looks whole.
        came = body[: body.index(b"mercy,aetna,C-5")]
        environ = {
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": MULTIPART_CONTENT,
            "wsgi.input": io.BytesIO(came),
        }
        answer = web.generic("POST", BATCHES, **environ)  # type: ignore[arg-type]
        assert 400 == answer.status_code
        assert f"cut off on its way: {len(came):,} of {len(body):,} bytes" in answer.json()["error"]
        assert (0, 0) == (ClaimBatch.objects.count(), Job.objects.count())

    def test_nothing_is_left_on_disk(self, web: Client, tmp_path: Path, settings: Any, uploads: Path) -> None:
        settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "temporary")
        (tmp_path / "temporary").mkdir()
        for limit in (100_000, 10):
            settings.UPSTREAM_MAX_UPLOAD_BYTES = limit
            web.post(BATCHES, {"file": file(stream(line()).getvalue()), "other": file(b"x")})
        assert [] == list((tmp_path / "temporary").iterdir())
        assert 1 == len([path for path in uploads.rglob("*") if path.is_file()])

    def test_even_a_small_file_comes_from_disk(self, web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def look(customer: Customer, content: Any, filename: str) -> ClaimBatch:
            seen.append(Path(content.name).read_bytes())
            return receive(customer, content, filename)

        seen: list[bytes] = []
        receive = ingestion.receive
        monkeypatch.setattr(ingestion, "receive", look)
        content = stream(line()).getvalue()
        assert 202 == web.post(BATCHES, {"file": file(content)}).status_code
        assert [content] == seen

    def test_rows_name_their_customer_and_others_are_refused(self, web: Client) -> None:
        Customer.objects.create(code="other", name="O")
        web.post(BATCHES, {"file": file(stream(line(customer="other"), line()).getvalue())})
        assert 2 == work(), "it, and the detection that follows"
        assert [("partial", 1)] == [(each["status"], each["accepted_count"]) for each in results(web.get(BATCHES))]


class TestList:
    def test_newest_first(self, web: Client, customer: Customer) -> None:
        for name in ("one.csv", "two.csv"):
            ClaimBatch.objects.create(customer=customer, filename=name)
        assert ["two.csv", "one.csv"] == [batch["filename"] for batch in results(web.get(BATCHES))]

    def test_by_status(self, web: Client, customer: Customer) -> None:
        for status in ("failed", "processing"):
            ClaimBatch.objects.create(customer=customer, filename=f"{status}.csv", status=status)
        assert ["failed.csv"] == [each["filename"] for each in results(web.get(BATCHES, {"status": "failed"}))]

    def test_rows_read_so_far(self, web: Client, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        ClaimBatch.objects.create(customer=customer, filename="one.csv")
        monkeypatch.setattr(ingestion, "progress", lambda batch: 900)
        assert [900] == [batch["rows"] for batch in results(web.get(BATCHES))]


class TestFirstRejected:
    def test_are_the_first(self, web: Client, customer: Customer) -> None:
        batch = ClaimBatch.objects.create(customer=customer, filename="one.csv")
        for number in reversed(range(2, 30)):
            batch.rejected_rows.create(line_number=number, row={}, reasons=[])
        shown = web.get(f"{BATCHES}{batch.pk}/").json()["first_rejected"]
        assert list(range(2, 22)) == [row["line_number"] for row in shown]
