"""What a report looks like to a browser, to a spreadsheet, and to somebody who means harm."""

from __future__ import annotations

import csv
import datetime
import io
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from telemetry.business.drift import SeverityLevel
from upstream import reports
from upstream.models import Alert, Claim, ClaimBatch, Customer, DriftEvent, Job, Payer, QualityScore, RejectedRow
from upstream.reports import charts
from upstream.reports.content import Column, Content, Table
from upstream.reports.drawing import draw
from upstream.reports.page import page
from upstream.reports.sheet import sheet
from upstream.reports.words import SEVERITIES, Kind, severity

START, END = datetime.date(2025, 6, 1), datetime.date(2025, 6, 28)
HOSTILE = '<script>alert("1")</script>\'&amp;$x$'
FORMULA = "=cmd|'/c calc'!A1"
_VOID = {"meta", "br", "img", "link", "hr", "input"}


class Read(HTMLParser):
    """Reads a page as strictly as a browser does not: what opens must be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert [] == self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def claims(customer: Customer, payer: Payer, **values: Any) -> None:
    batch, _ = ClaimBatch.objects.get_or_create(customer=customer, filename="claims.csv")
    already = Claim.objects.count()
    Claim.objects.bulk_create(
        Claim(
            **{
                "customer": customer,
                "payer": payer,
                "batch": batch,
                "claim_id": f"PATIENT-{already + number}",
                "procedure_code": "99213",
                "billed_amount": Decimal("125.50"),
                "service_date": START,
                "submitted_date": START,
                "paid_date": START + datetime.timedelta(days=number),
                "denied": False,
                **values,
            }
        )
        for number in range(12)
    )


@pytest.fixture
def everything(customer: Customer) -> Customer:
    """Something for each report to tell, in words that are to do harm where there is room for words."""
    customer.name = HOSTILE
    customer.save()
    hostile = Payer.objects.create(code="hostile", name=HOSTILE)
    formula = Payer.objects.create(code="formula", name=FORMULA)
    claims(customer, hostile, paid_amount=100)
    claims(customer, hostile, denied=True, denial_reason=HOSTILE)
    claims(customer, formula, denied=True, denial_reason=FORMULA)
    claims(customer, formula, paid_date=None)
    job = Job.objects.create(customer=customer, name="detect", job_type="drift_detection", due_at="2025-06-30T00:00Z")
    for payer, drift_type, subject in ((hostile, "denial_rate", HOSTILE), (formula, "ar_aging", FORMULA)):
        event = DriftEvent.objects.create(
            job=job, customer=customer, payer=payer, product="DriftWatch", drift_type=drift_type, subject=subject,
            severity=0.95, baseline=0.1, current=0.3, baseline_size=90, current_size=60, effect=0.5, p_value=1e-9,
            window_start=START, window_end=END,
        )  # fmt: skip
        Alert.objects.create(event=event, customer=customer, severity="high", title="drift", body="drift")
    batch = ClaimBatch.objects.create(
        customer=customer, filename=FORMULA + HOSTILE, status="partial", row_count=2, accepted_count=1, rejected_count=1
    )
    ClaimBatch.objects.update(received_at=datetime.datetime(2025, 6, 20, tzinfo=datetime.UTC))
    for metric in QualityScore.MetricType.values:
        QualityScore.objects.create(batch=batch, metric_type=metric, score=0.875)
    RejectedRow.objects.create(
        batch=batch,
        line_number=3,
        row={"claim_id": "PATIENT-99"},
        reasons=[{"column": "payer", "check": "referential_integrity", "given": "PATIENT-99", "valid": "a payer"}],
    )
    return customer


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


class TestEachReport:
    @pytest.mark.parametrize(
        ("report_type", "pictures", "tables"),
        [
            ("drift_summary", 5, {"drifts", "outcomes", "payers", "days"}),
            ("payment_analysis", 4, {"payers", "open_claims", "trend", "distribution"}),
            ("denial_analysis", 4, {"payers", "pairs", "reasons", "trend"}),
            ("quality_dashboard", 3, {"scores", "refusals", "batches"}),
        ],
    )
    def test_is_a_page_and_a_sheet_that_do_no_harm(
        self, everything: Customer, report_type: str, pictures: int, tables: set[str]
    ) -> None:
        report = reports.write_now(everything, report_type, START, END)
        assert "completed" == report.status

        read = Read(report.html)
        assert (pictures, pictures) == (read.tags["svg"], read.tags["figure"])
        assert pictures + 1 == read.tags["title"]
        assert 0 == read.tags["script"] + read.tags["img"] + read.tags["link"] + read.tags["iframe"]
        names = [name for name, _ in read.attributes]
        assert not {name for name in names if name.startswith("on") or name in ("src", "href", "id", "xlink:href")}
        assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in read.attributes
        assert "url(" not in report.html
        # What is hostile is there, as the text that it is, on the page and in the pictures.
        assert any(HOSTILE in text for text in read.texts)
        if report_type != "quality_dashboard":
            assert any(text.startswith("<script>alert") and text.endswith("…") for text in read.texts)

        rows = records(report.csv)
        assert tables == {row["table"] for row in rows}
        assert all(None not in row and None not in row.values() for row in rows)
        cells = [cell for row in rows for cell in row.values()]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-"))]
        assert any(cell.startswith(f"'{FORMULA}") for cell in cells)
        assert report.csv.endswith("\r\n")
        assert "\n" not in report.csv.replace("\r\n", "")

        # One claim's data is health data.
        assert "PATIENT" not in report.html + report.csv

        again = reports.write_now(everything, report_type, START, END)
        assert (report.html, report.csv) == (again.html, again.csv)


def content(*rows: tuple[Any, ...], columns: tuple[Column, ...] = (Column("what", "What"),), **changes: Any) -> Content:
    return Content(**{
        "subject": "Subject", "start": START, "end": END, "headline": "Headline", "lead": "", "figures": [],
        "charts": [], "tables": [Table("table", "Table", columns, list(rows))], **changes,
    })  # fmt: skip


class TestSheet:
    @pytest.mark.parametrize(
        "text",
        ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\tx", "\rx", "\nx", " =1", "＝1", "=cmd|'/c calc'!A1"],  # noqa: RUF001
    )
    def test_a_text_that_would_be_computed_is_defused(self, text: str) -> None:
        assert f"'{text}" == records(sheet(content((text,))))[0]["what"]

    @pytest.mark.parametrize("text", ["Aetna", "a=b", 'say "x", y', "two\r\nlines", "O'Brien", "Größe", ""])
    def test_any_other_text_stays(self, text: str) -> None:
        assert text == records(sheet(content((text,))))[0]["what"]

    @pytest.mark.parametrize(
        ("cell", "text"),
        [(-1, "-1"), (1234567, "1234567"), (Decimal("-12345.60"), "-12345.60"), (-0.125, "-0.125"), (1 / 3, "0.333333"),
         (2.0, "2"), (1e-9, "0"), (None, ""), (END, "2025-06-28")],
    )  # fmt: skip
    def test_numbers_are_plain(self, cell: Any, text: str) -> None:
        assert text == records(sheet(content((cell,))))[0]["what"]

    def test_tables_share_a_header(self) -> None:
        one = Table("one", "One", (Column("a", "A"), Column("b", "B")), [("1", "2")])
        two = Table("two", "Two", (Column("b", "B"), Column("c", "C")), [("3", "4")], shown=0)
        assert [
            {"table": "one", "a": "1", "b": "2", "c": ""},
            {"table": "two", "a": "", "b": "3", "c": "4"},
        ] == records(sheet(content(tables=[one, two])))


class TestPage:
    def test_long_tables_are_cut_and_columns_without_a_title_left_out(self) -> None:
        columns = (Column("code", ""), Column("count", "Count", Kind.COUNT))
        read = Read(page(content(*(("x", 1000 + number) for number in range(30)), columns=columns), "Mercy West"))
        assert (26, 25) == (read.tags["tr"], read.tags["td"])
        assert {"1,000", "1,024", "5 more in the sheet."} <= set(read.texts)
        assert not {"x", "1,025"} & set(read.texts)


class TestPictures:
    @pytest.mark.parametrize("name", ["$\\frac{$", "a $x^2$ b", "日本の保険", "😀", "\\", "a & b <c>", "Größe"])
    def test_any_name_can_be_drawn(self, name: str) -> None:
        drawn = draw(charts.Bars(title=name, note="", bars=(charts.Bar(name, (1.0,), "one"),)))
        assert [f"{name}. ", name, "one"] == [text for text in Read(drawn).texts if text.strip()]

    def test_a_long_name_is_shortened(self) -> None:
        drawn = draw(charts.Bars(title="Title", note="", bars=(charts.Bar("x" * 200, (1.0,), "one"),)))
        (shown,) = (text for text in Read(drawn).texts if text.startswith("x"))
        assert 20 < len(shown) < 40
        assert shown.endswith("…")

    def test_no_values_to_speak_of_are_drawn_too(self) -> None:
        day = (END,)
        common: dict[str, Any] = {"title": "Title", "note": "Note"}
        for chart in (
            charts.Bars(bars=(charts.Bar("a", (0,), "0"),), **common),
            charts.Columns(columns=(charts.Column("a", (0,)),), **common),
            charts.Lines(
                days=day, series=(charts.Series("a", (0.0,)), charts.Series("b", (None,))), kind=Kind.SHARE, **common
            ),
            charts.Panels(start=END, days=day, panels=(charts.Panel("a", (1.0,), (), "1"),), **common),
            charts.Ranges(ranges=(charts.Range("a", (0, 0, 0, 0, 0)),), **common),
            charts.Changes(changes=(charts.Change("a", 0, 0),), kind=Kind.DAYS, **common),
            charts.Dots(start=END, end=END, rows=(("a", ((END, 0.0),)),), **common),
        ):
            drawn = draw(chart)
            assert 1 == Read(drawn).tags["svg"]
            assert "nan" not in drawn
            assert re.search(r'role="img" aria-label="Title. Note"', drawn)

    def test_what_no_picture_is_made_of_is_refused(self) -> None:
        with pytest.raises(TypeError, match="chart Chart has no picture"):
            draw(charts.Chart(title="Title", note="Note"))

    def test_a_web_process_does_not_pay_for_them(self) -> None:
        code = (
            "import django, sys; django.setup(); import upstream.tasks, hello_world.urls; "
            "sys.exit('matplotlib' in sys.modules)"
        )
        root = Path(__file__).parents[2]
        subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


class TestSeverity:
    @pytest.mark.parametrize("score", [0.0, 0.39, 0.4, 0.69, 0.7, 0.89])
    def test_agrees_with_the_metrics(self, score: float) -> None:
        assert SeverityLevel.of(score) == severity(score)

    def test_agrees_with_the_alerts(self) -> None:
        assert [choice for choice, _ in SEVERITIES] == Alert.Severity.values
        assert ("critical", "critical") == (severity(0.9), severity(1.0))
