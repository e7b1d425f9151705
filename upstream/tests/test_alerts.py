from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from upstream import alerts
from upstream.models import Alert, AlertDelivery, Customer, DriftEvent, Job, Payer
from upstream.tests.conftest import Calls, named

DAY = datetime.date(2025, 6, 30)


class RefusingBackend(BaseEmailBackend):
    """A mail server that is down."""

    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError("nobody listens")


def event(customer: Customer, payer: Payer, severity: float = 0.75, **changes: Any) -> DriftEvent:
    return DriftEvent.objects.create(
        **{
            "job": Job.objects.create(customer=customer, job_type="drift_detection"),
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


class TestRaiseFor:
    @pytest.mark.parametrize(
        ("score", "severity"),
        [(0.4, "medium"), (0.69, "medium"), (0.7, "high"), (0.89, "high"), (0.9, "critical"), (1.0, "critical")],
    )
    def test_severity(self, customer: Customer, payers: list[Payer], score: float, severity: str) -> None:
        alert = alerts.raise_for(event(customer, payers[0], score))
        assert alert is not None
        assert severity == alert.severity

    def test_below_the_threshold_there_is_none(
        self, customer: Customer, payers: list[Payer], settings: Any, tracked: Calls
    ) -> None:
        settings.UPSTREAM_ALERT_THRESHOLD = 0.5
        low = event(customer, payers[0], 0.49)
        assert None is alerts.raise_for(low)
        assert "" == low.suppressed
        alerts.measure(low, None)
        assert [] == tracked

    def test_says_what_happened(self, customer: Customer, payers: list[Payer]) -> None:
        denial = alerts.raise_for(event(customer, payers[0]))
        delay = alerts.raise_for(
            event(customer, payers[0], drift_type="payment_delay", product="DelayGuard", baseline=20, current=32.5)
        )
        assert denial is not None
        assert delay is not None
        assert "Aetna denies more claims: 8.0% to 30.0%" == denial.title
        assert "Aetna pays later: median 20 to 32.5 days" == delay.title
        assert "from 2025-06-01 to 2025-06-30 (400) with the 1,000 before" in denial.body


class TestSuppression:
    @pytest.fixture
    def first(self, customer: Customer, payers: list[Payer]) -> Alert:
        alert = alerts.raise_for(event(customer, payers[0]))
        assert alert is not None
        return alert

    def age(self, alert: Alert, **ago: float) -> None:
        Alert.objects.filter(pk=alert.pk).update(created_at=timezone.now() - datetime.timedelta(**ago))

    def test_the_same_again_is_a_duplicate(
        self, first: Alert, customer: Customer, payers: list[Payer], tracked: Calls
    ) -> None:
        self.age(first, days=9)
        again = event(customer, payers[0])
        assert None is alerts.raise_for(again)
        alerts.measure(again, None)
        again.refresh_from_db()
        assert "duplicate" == again.suppressed
        assert [("DenialScope", "duplicate", "mercy")] == named(tracked, "track_alert_suppressed")
        assert [] == named(tracked, "track_alert_created")

    def test_news_too_soon_is_held_back(
        self, first: Alert, customer: Customer, payers: list[Payer], tracked: Calls
    ) -> None:
        self.age(first, hours=23.9)
        news = event(customer, payers[0], window_end=DAY + datetime.timedelta(days=1))
        assert None is alerts.raise_for(news)
        alerts.measure(news, None)
        assert [("DenialScope", "cooldown", "mercy")] == named(tracked, "track_alert_suppressed")

    def test_news_after_the_cooldown_is_told(
        self, first: Alert, customer: Customer, payers: list[Payer], tracked: Calls
    ) -> None:
        self.age(first, hours=24.1)
        news = event(customer, payers[0], window_end=DAY + datetime.timedelta(days=1))
        alert = alerts.raise_for(news)
        alerts.measure(news, alert)
        assert alert is not None
        assert [("DenialScope", "high", "mercy")] == named(tracked, "track_alert_created")

    @pytest.mark.parametrize("other", ["payer", "drift type", "customer"])
    def test_another_matter_is_told(self, first: Alert, customer: Customer, payers: list[Payer], other: str) -> None:
        new = {
            "payer": lambda: event(customer, payers[1]),
            "drift type": lambda: event(customer, payers[0], drift_type="payment_delay"),
            "customer": lambda: event(Customer.objects.create(code="other", name="Other"), payers[0]),
        }[other]()
        assert None is not alerts.raise_for(new)


class TestDeliver:
    def raised(self, customer: Customer, payers: list[Payer]) -> Alert:
        alert = alerts.raise_for(event(customer, payers[0]))
        assert alert is not None
        return alert

    def job(self) -> tuple[str, str]:
        job = Job.objects.get(job_type="alert_processing")
        return job.status, job.error_type

    def test_by_mail(self, customer: Customer, payers: list[Payer], tracked: Calls) -> None:
        alert = self.raised(customer, payers)
        alerts.deliver(customer, [alert])
        (sent,) = mail.outbox
        assert (alert.title, ["ops@mercy.example.com"]) == (sent.subject, sent.to)
        assert "delivered" == Alert.objects.get().status
        assert (True, "") == AlertDelivery.objects.values_list("delivered", "error_type").get()
        assert ("completed", "") == self.job()
        assert [("DenialScope", "email", "mercy")] == named(tracked, "track_alert_delivered")
        assert [] == named(tracked, "track_alert_failed")
        assert ["DenialScope"] == [product for product, _ in named(tracked, "track_alert_processing")]

    def test_to_the_operators_where_the_customer_has_no_address(self, customer: Customer, payers: list[Payer]) -> None:
        customer.alert_email = ""
        customer.save()
        alerts.deliver(customer, [self.raised(customer, payers)])
        assert ["operators@example.com"] == mail.outbox[0].to

    def test_failure_is_kept_and_counted(
        self, customer: Customer, payers: list[Payer], settings: Any, tracked: Calls
    ) -> None:
        settings.EMAIL_BACKEND = "upstream.tests.test_alerts.RefusingBackend"
        alerts.deliver(customer, [self.raised(customer, payers)])
        delivery = AlertDelivery.objects.get()
        assert (False, "ConnectionRefusedError", "nobody listens") == (
            delivery.delivered,
            delivery.error_type,
            delivery.error,
        )
        assert "failed" == Alert.objects.get().status
        assert ("failed", "DeliveryError") == self.job()
        assert [("DenialScope", "email", "ConnectionRefusedError", "mercy")] == named(tracked, "track_alert_failed")
        assert [] == named(tracked, "track_alert_delivered")
        assert [("alert_processing", "DeliveryError", "mercy")] == named(tracked, "track_job_failed")

    def test_one_failure_does_not_hold_up_the_next(
        self, customer: Customer, payers: list[Payer], settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = self.raised(customer, payers)
        second = alerts.raise_for(event(customer, payers[1]))
        assert second is not None

        def send(subject: str, *rest: Any) -> None:
            if subject == first.title:
                raise TimeoutError

        monkeypatch.setattr(alerts, "send_mail", send)
        alerts.deliver(customer, [first, second])
        assert ["failed", "delivered"] == list(Alert.objects.order_by("pk").values_list("status", flat=True))

    def test_nobody_to_tell_is_a_failure(
        self, customer: Customer, payers: list[Payer], settings: Any, tracked: Calls
    ) -> None:
        settings.UPSTREAM_ALERT_RECIPIENTS = []
        customer.alert_email = ""
        customer.save()
        alerts.deliver(customer, [self.raised(customer, payers)])
        assert "UPSTREAM_ALERT_RECIPIENTS" in AlertDelivery.objects.get().error
        assert [("DenialScope", "email", "NoRecipient", "mercy")] == named(tracked, "track_alert_failed")
