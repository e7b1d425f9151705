from __future__ import annotations

import datetime
import io
from collections import Counter
from collections.abc import Iterator

import pytest

from upstream import generator
from upstream.detection import detect, service
from upstream.detection.comparison import Answer, Finding, Windows, compare
from upstream.ingestion import ingest
from upstream.models import Claim, ClaimBatch, Customer, DriftEvent, Job, Payer
from upstream.tests.conftest import Calls, named

END = generator.DEFAULT_END
ONE_DAY = datetime.timedelta(days=1)
WINDOWS = Windows.ending(END)
CODES = dict(enumerate(generator.PAYERS))


def answers(seed: int, drift_payer: str | None, rows: int = 20_000) -> Iterator[Answer]:
    """What the database would give for a generated file."""
    ids = {code: number for number, code in CODES.items()}
    for row in generator.claims(rows, seed, "mercy", drift_payer):
        if row[8]:
            day = datetime.date.fromisoformat
            yield ids[row[1]], day(row[7]), day(row[8]), row[9] == "true", 1


def told(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(CODES[finding.payer_id], str(finding.drift_type)) for finding in findings}


class TestWindows:
    def test_recent_is_30_days_and_baseline_the_90_before(self) -> None:
        expected = Windows(datetime.date(2025, 3, 3), datetime.date(2025, 6, 1), datetime.date(2025, 6, 30))
        assert expected == WINDOWS


class TestCompare:
    @pytest.mark.parametrize("seed", range(8))
    def test_the_drifting_payer_is_found_and_no_other(self, seed: int) -> None:
        payer = CODES[seed % len(CODES)]
        found = told(compare(answers(seed, payer), WINDOWS))
        assert {(payer, "payment_delay"), (payer, "denial_rate")} == found

    @pytest.mark.parametrize("seed", range(100, 110))
    def test_without_drift_nothing_is_found(self, seed: int) -> None:
        assert set() == told(compare(answers(seed, None), WINDOWS))

    def test_gravest_first(self) -> None:
        severities = [finding.severity for finding in compare(answers(1, "cigna"), WINDOWS)]
        assert sorted(severities, reverse=True) == severities

    def claims(self, denied: int, of: int, day: datetime.date, delay: int = 20, payer: int = 0) -> list[Answer]:
        before = day - datetime.timedelta(days=delay)
        return [(payer, before, day, True, denied), (payer, before, day, False, of - denied)]

    def test_the_numbers_of_a_finding(self) -> None:
        (found,) = compare(self.claims(80, 1000, WINDOWS.baseline_start) + self.claims(120, 400, WINDOWS.end), WINDOWS)
        assert ("denial_rate", 0.08, 0.3, 1000, 400) == (
            str(found.drift_type),
            found.baseline,
            found.current,
            found.baseline_size,
            found.current_size,
        )
        # asin(sqrt(0.3)) and asin(sqrt(0.08)), from a table.
        assert 2 * (0.57964 - 0.28676) == pytest.approx(found.effect, abs=1e-4)
        assert found.effect / 0.8 == pytest.approx(found.severity)

    def test_severity_ends_at_1(self) -> None:
        (found,) = compare(self.claims(0, 1000, WINDOWS.baseline_start) + self.claims(400, 400, END), WINDOWS)
        assert 1.0 == found.severity

    @pytest.mark.parametrize(("day", "denied"), [(WINDOWS.baseline_start - ONE_DAY, 0), (END + ONE_DAY, 9_999)])
    def test_windows_end_where_they_say(self, day: datetime.date, denied: int) -> None:
        quiet = self.claims(80, 1000, WINDOWS.baseline_start) + self.claims(80, 1000, END)
        assert [] == compare(quiet + self.claims(denied, 9_999, day), WINDOWS)

    @pytest.mark.parametrize(
        ("baseline", "recent"),
        [
            pytest.param((80, 1000), (24, 49), id="too few claims"),
            pytest.param((25, 49), (900, 1000), id="too few before"),
            pytest.param((80, 1000), (25, 1000), id="fewer denials"),
            pytest.param((8_000, 100_000), (2_100, 20_000), id="not worth telling"),
        ],
    )
    def test_no_finding_on_denials(self, baseline: tuple[int, int], recent: tuple[int, int]) -> None:
        assert [] == compare(self.claims(*baseline, WINDOWS.baseline_start) + self.claims(*recent, END), WINDOWS)

    def test_no_finding_where_too_few_denials_are_expected(self) -> None:
        # 5 of 10,000 to 5 of 50 has a tiny p-value, by an approximation that 0.05 expected denials do not bear.
        assert [] == compare(self.claims(5, 10_000, WINDOWS.baseline_start) + self.claims(5, 50, END), WINDOWS)

    def test_earlier_payment_is_no_finding(self) -> None:
        assert [] == compare(self.claims(0, 90, WINDOWS.baseline_start, 20) + self.claims(0, 90, END, 10), WINDOWS)

    def test_what_one_payer_alone_would_show_is_lost_among_many(self) -> None:
        # 8 % to 14.25 % of 400: p = 0.0002, below 0.001 / 2 (its own two tests), above 0.001 / 42.
        weak = self.claims(80, 1000, WINDOWS.baseline_start) + self.claims(57, 400, END)
        quiet = [
            claim
            for payer in range(1, 21)
            for day in (WINDOWS.baseline_start, END)
            for claim in self.claims(80, 1000, day, payer=payer)
        ]
        assert {("aetna", "denial_rate")} == told(compare(weak, WINDOWS))
        assert [] == compare(weak + quiet, WINDOWS)


class TestDetect:
    @pytest.fixture
    def demo(self, db: None) -> Customer:
        for code, name in generator.PAYERS.items():
            Payer.objects.create(code=code, name=name)
        return Customer.objects.create(code="demo", name="Demo")

    def load(self, customer: Customer, seed: int, drift_payer: str | None) -> None:
        text = io.StringIO()
        generator.write(generator.claims(8_000, seed, customer.code, drift_payer), text)
        batch = ingest(customer, io.BytesIO(text.getvalue().encode()), "claims.csv")
        assert "success" == batch.status

    def test_events_are_stored_and_measured(self, demo: Customer, tracked: Calls) -> None:
        self.load(demo, 3, "cigna")
        result = detect(demo)
        assert WINDOWS == result.windows
        delay, denial = DriftEvent.objects.order_by("-drift_type")
        job = Job.objects.get(job_type="drift_detection")
        for event, product, drift_type in (
            (delay, "DelayGuard", "payment_delay"),
            (denial, "DenialScope", "denial_rate"),
        ):
            assert ("cigna", product, drift_type, job) == (
                event.payer.code,
                event.product,
                event.drift_type,
                event.job,
            )
            assert event.p_value < 0.001
        assert delay.current > delay.baseline + 10
        assert "completed" == job.status
        assert {
            ("DelayGuard", "payment_delay", delay.severity, "demo"),
            ("DenialScope", "denial_rate", denial.severity, "demo"),
        } == set(named(tracked, "track_drift_event"))
        assert [("high", "demo")] == named(tracked, "track_payment_delay_signal")
        assert [("rate_change", "demo")] == named(tracked, "track_denial_signal")
        assert {"DelayGuard", "DenialScope"} == {product for product, _ in named(tracked, "track_drift_computation")}

    def test_no_drift_stores_nothing(self, demo: Customer, tracked: Calls) -> None:
        self.load(demo, 4, None)
        result = detect(demo)
        assert ([], [], 0) == (result.events, result.alerts, DriftEvent.objects.count())
        assert [] == named(tracked, "track_drift_event")
        assert [("data_sync", "demo"), ("drift_detection", "demo")] == named(tracked, "track_job_completed")

    def test_the_database_gives_what_the_file_held(self, demo: Customer) -> None:
        self.load(demo, 5, "cigna")
        expected: Counter[tuple[object, ...]] = Counter()
        for payer, submitted, answered, denied, count in answers(5, "cigna", 8_000):
            if WINDOWS.baseline_start <= answered <= END:
                expected[CODES[payer], submitted, answered, denied] += count
        codes = dict(Payer.objects.values_list("pk", "code"))
        stored = {(codes[payer], *rest): count for payer, *rest, count in service._answers(demo, WINDOWS)}
        assert expected == stored

    def test_other_customers_are_left_out(self, demo: Customer) -> None:
        self.load(demo, 3, "cigna")
        other = Customer.objects.create(code="other", name="Other")
        assert [] == list(service._answers(other, WINDOWS))
        assert None is detect(other).windows

    def test_denial_without_a_day_counts_on_its_submission(self, demo: Customer) -> None:
        batch = ClaimBatch.objects.create(customer=demo, filename="x")
        payer = Payer.objects.get(code="cigna")
        for claim_id, denied in (("denied", True), ("waiting", False)):
            Claim.objects.create(
                customer=demo, payer=payer, batch=batch, claim_id=claim_id, procedure_code="99213",
                billed_amount=1, service_date=END, submitted_date=END, denied=denied,
            )  # fmt: skip
        assert [(payer.pk, END, END, True, 1)] == list(service._answers(demo, WINDOWS))

    def test_without_claims_there_is_nothing_to_compare(self, demo: Customer) -> None:
        assert (None, []) == (detect(demo).windows, detect(demo).events)

    def test_failure_is_that_of_the_job(self, demo: Customer, tracked: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object) -> None:
            raise ArithmeticError("no")

        self.load(demo, 3, "cigna")
        monkeypatch.setattr(service, "compare", fail)
        with pytest.raises(ArithmeticError):
            detect(demo)
        assert [("drift_detection", "ArithmeticError", "demo")] == named(tracked, "track_job_failed")
        assert [] == named(tracked, "track_drift_computation")
