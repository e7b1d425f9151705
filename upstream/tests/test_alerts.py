"""Which drift events raise an alert, what it says, and which are held back."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.utils import timezone

from upstream import alerts
from upstream.models import Alert, Customer, DriftEvent, Job, Payer
from upstream.tests.conftest import Calls, named

DAY = datetime.date(2025, 6, 30)


def event(customer: Customer, payer: Payer, severity: float = 0.75, **changes: Any) -> DriftEvent:
    """A drift event found by a pass that is over: by default, that a payer denies more of a customer's claims."""
    now = timezone.now()
    passed = Job.objects.create(
        customer=customer, name="detect", job_type="drift_detection", status="completed", due_at=now, finished_at=now
    )
    return DriftEvent.objects.create(
        **{
            "job": passed,
            "customer": customer,
            "payer": payer,
            "product": "DenialScope",
            "drift_type": "denial_rate",
            "severity": severity,
            "baseline": 0.08,
            "current": 0.3,
            "baseline_size": 1000,
            "current_size": 400,
            "effect": 0.58,
            "p_value": 1e-20,
            "window_start": DAY - datetime.timedelta(days=29),
            "window_end": DAY,
            **changes,
        }
    )


def raised(customer: Customer, payer: Payer, severity: float = 0.75, **changes: Any) -> Alert:
    """An alert that no rule held back."""
    alert = alerts.raise_for(event(customer, payer, severity, **changes))
    assert alert is not None
    return alert


def age(alert: Alert, **ago: float) -> None:
    """Let an alert have been raised so long ago."""
    Alert.objects.filter(pk=alert.pk).update(created_at=timezone.now() - datetime.timedelta(**ago))


class TestRaiseFor:
    @pytest.mark.parametrize(
        ("score", "severity"),
        [(0.4, "medium"), (0.69, "medium"), (0.7, "high"), (0.89, "high"), (0.9, "critical"), (1.0, "critical")],
    )
    def test_severity(self, customer: Customer, payers: list[Payer], score: float, severity: str) -> None:
        assert severity == raised(customer, payers[0], score).severity

    def test_below_the_threshold_there_is_none(
        self, customer: Customer, payers: list[Payer], settings: Any, tracked: Calls
    ) -> None:
        settings.UPSTREAM_ALERT_THRESHOLD = 0.5
        low = event(customer, payers[0], 0.49)
        assert None is alerts.raise_for(low)
        assert "" == low.suppressed
        alerts.measure(low, None)
        assert [] == tracked
        assert 0 == Job.objects.filter(name=alerts.KIND).count()

    def test_is_counted(self, customer: Customer, payers: list[Payer], tracked: Calls) -> None:
        found = event(customer, payers[0], 0.95)
        alerts.measure(found, alerts.raise_for(found))
        assert [("track_alert_created", ("DenialScope", "critical", "mercy"))] == tracked


class TestWords:
    @pytest.mark.parametrize(
        ("drift_type", "subject", "baseline", "current", "title"),
        [
            ("denial_rate", "", 0.08, 0.3, "Aetna denies more claims: 8.0% to 30.0%"),
            ("denial_rate", "not covered", 0.01, 0.123, 'Aetna denies more claims for "not covered": 1.0% to 12.3%'),
            ("denial_rate", "", 0.3, 0.08, "Aetna denies fewer claims: 30.0% to 8.0%"),
            ("payment_delay", "", 20, 32.5, "Aetna pays later: median 20 to 32.5 days"),
            ("payment_delay", "99213", 20, 30, "Aetna pays later on procedure 99213: median 20 to 30 days"),
            ("adjustment_pattern", "", 0.1, 0.2, "Aetna leaves more of the bill unpaid: mean 10.0% to 20.0%"),
            (
                "adjustment_pattern",
                "99213",
                0.2,
                0.1,
                "Aetna leaves less of the bill unpaid on procedure 99213: mean 20.0% to 10.0%",
            ),
            ("code_mapping_change", "", 0, 0.05, "Aetna answers more claims under another code: 0.0% to 5.0%"),
            (
                "code_mapping_change",
                "99213",
                0.01,
                0.2,
                "Aetna answers more claims on procedure 99213 under another code: 1.0% to 20.0%",
            ),
            ("ar_aging", "", 30, 45, "Claims wait longer for Aetna: median age 30 to 45 days"),
            ("ar_aging", "99213", 30, 45, "Claims on procedure 99213 wait longer for Aetna: median age 30 to 45 days"),
        ],
    )
    def test_title(
        self,
        customer: Customer,
        payers: list[Payer],
        drift_type: str,
        subject: str,
        baseline: float,
        current: float,
        title: str,
    ) -> None:
        alert = raised(customer, payers[0], drift_type=drift_type, subject=subject, baseline=baseline, current=current)
        assert title == alert.title

    @pytest.mark.parametrize(
        ("drift_type", "compared"),
        [
            ("denial_rate", "claims that Aetna answered from 2025-06-01 to 2025-06-30 (400) with the 1,000 before."),
            (
                "ar_aging",
                "claims that waited for Aetna up to 2025-06-30 (400) "
                "with those that waited 30 days earlier (1,000), age by age.",
            ),
        ],
    )
    def test_body(self, customer: Customer, payers: list[Payer], drift_type: str, compared: str) -> None:
        assert (
            f"DenialScope compared the {compared}\nSeverity 0.75, effect size 0.58, p = 1e-20.\n"
            == raised(customer, payers[0], drift_type=drift_type).body
        )

    def test_title_is_one_line_that_fits(self, customer: Customer, payers: list[Payer]) -> None:
        payers[0].name = "A\r\nBcc: everybody@example.com"
        assert raised(customer, payers[0]).title.startswith("A Bcc: everybody@example.com denies more claims")
        payers[0].name = "n" * 200
        assert (
            "n" * 200 + ' denies more claims for "' + "s" * 75 == raised(customer, payers[0], subject="s" * 200).title
        )


class TestSuppression:
    @pytest.fixture
    def first(self, customer: Customer, payers: list[Payer]) -> Alert:
        return raised(customer, payers[0])

    def test_the_same_again_is_a_duplicate(
        self, first: Alert, customer: Customer, payers: list[Payer], tracked: Calls
    ) -> None:
        age(first, days=99)
        again = event(customer, payers[0])
        assert None is alerts.raise_for(again)
        alerts.measure(again, None)
        again.refresh_from_db()
        assert "duplicate" == again.suppressed
        assert [("DenialScope", "duplicate", "mercy")] == named(tracked, "track_alert_suppressed")
        assert [] == named(tracked, "track_alert_created")
        assert 1 == Job.objects.filter(name=alerts.KIND).count()

    def test_news_too_soon_is_held_back(
        self, first: Alert, customer: Customer, payers: list[Payer], tracked: Calls
    ) -> None:
        age(first, hours=23.9)
        news = event(customer, payers[0], window_end=DAY + datetime.timedelta(days=1))
        assert None is alerts.raise_for(news)
        alerts.measure(news, None)
        news.refresh_from_db()
        assert "cooldown" == news.suppressed
        assert [("DenialScope", "cooldown", "mercy")] == named(tracked, "track_alert_suppressed")

    def test_news_after_the_cooldown_is_told(
        self, first: Alert, customer: Customer, payers: list[Payer], tracked: Calls
    ) -> None:
        age(first, hours=24.1)
        news = event(customer, payers[0], window_end=DAY + datetime.timedelta(days=1))
        alert = alerts.raise_for(news)
        alerts.measure(news, alert)
        assert "" == news.suppressed
        assert [("DenialScope", "high", "mercy")] == named(tracked, "track_alert_created")

    @pytest.mark.parametrize("other", ["payer", "drift type", "subject", "customer"])
    def test_another_matter_is_told(self, first: Alert, customer: Customer, payers: list[Payer], other: str) -> None:
        new = {
            "payer": lambda: event(customer, payers[1]),
            "drift type": lambda: event(customer, payers[0], drift_type="payment_delay"),
            "subject": lambda: event(customer, payers[0], subject="not covered"),
            "customer": lambda: event(Customer.objects.create(code="other", name="Other"), payers[0]),
        }[other]()
        assert None is not alerts.raise_for(new)


class TestNoise:
    """Three alerts, five, nine and 13.9 days ago, and what is found today."""

    @pytest.fixture
    def earlier(self, customer: Customer, payers: list[Payer]) -> list[Alert]:
        found = []
        for days, severity in ((13.9, 0.5), (9, 0.75), (5, 0.5)):
            day = DAY - datetime.timedelta(days=round(days))
            found.append(raised(customer, payers[0], severity, window_end=day))
            age(found[-1], days=days)
        return found

    def suppressed(self, news: DriftEvent) -> str:
        alerts.raise_for(news)
        news.refresh_from_db()
        return news.suppressed

    def test_the_fourth_that_nobody_cares_for_is_noise(
        self, earlier: list[Alert], customer: Customer, payers: list[Payer], tracked: Calls
    ) -> None:
        # As grave as the gravest of them, by the word if not by the score.
        news = event(customer, payers[0], 0.89)
        assert "noise_pattern" == self.suppressed(news)
        alerts.measure(news, None)
        assert [("track_alert_suppressed", ("DenialScope", "noise_pattern", "mercy"))] == tracked

    def test_a_graver_one_is_told(self, earlier: list[Alert], customer: Customer, payers: list[Payer]) -> None:
        assert "" == self.suppressed(event(customer, payers[0], 0.9))

    @pytest.mark.parametrize("which", [0, 1, 2])
    def test_one_acknowledged_shows_that_they_are_read(
        self, earlier: list[Alert], customer: Customer, payers: list[Payer], which: int
    ) -> None:
        Alert.objects.filter(pk=earlier[which].pk).update(acknowledged_at=timezone.now())
        assert "" == self.suppressed(event(customer, payers[0]))

    def test_two_are_no_pattern(self, earlier: list[Alert], customer: Customer, payers: list[Payer]) -> None:
        age(earlier[0], days=14.1)
        assert "" == self.suppressed(event(customer, payers[0]))

    def test_how_many_and_how_long_are_settings(
        self, earlier: list[Alert], customer: Customer, payers: list[Payer], settings: Any
    ) -> None:
        settings.UPSTREAM_ALERT_NOISE_DAYS = 10
        settings.UPSTREAM_ALERT_NOISE_COUNT = 2
        assert "noise_pattern" == self.suppressed(event(customer, payers[0]))

    def test_another_subject_is_another_pattern(
        self, earlier: list[Alert], customer: Customer, payers: list[Payer]
    ) -> None:
        assert "" == self.suppressed(event(customer, payers[0], subject="not covered"))
