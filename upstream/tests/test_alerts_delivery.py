"""What becomes of the deliveries of an alert: by jobs, tried again, and never twice once they are stored as done."""

from __future__ import annotations

import datetime
import logging
import smtplib
import traceback
from collections.abc import Sequence
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from upstream import alerts, jobs
from upstream.models import Alert, AlertChannel, AlertDelivery, Customer, Job, Payer
from upstream.tests.conftest import Calls, named, work
from upstream.tests.receiver import HANG_UP, SILENCE, Answer, receiver
from upstream.tests.test_alerts import raised

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_c2VjcmV0IHNlY3JldA=="


class Server(BaseEmailBackend):
    """A mail server that refuses by `error`."""

    error: Exception

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise self.error


@pytest.fixture
def mail_fails(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the mail server fail: `mail_fails(error)`."""

    def fail(error: Exception) -> None:
        settings.EMAIL_BACKEND = f"{__name__}.Server"
        monkeypatch.setattr(Server, "error", error, raising=False)

    return fail


@pytest.fixture
def silent(customer: Customer, settings: Any) -> Customer:
    """The customer, with no address, and no operators to tell in its place."""
    settings.UPSTREAM_ALERT_RECIPIENTS = []
    customer.alert_email = ""
    customer.save()
    return customer


def channel(customer: Customer, target: str, channel_type: str = "webhook") -> AlertChannel:
    return AlertChannel.objects.create(customer=customer, channel_type=channel_type, target=target, secret=SECRET)


def work_off(settings: Any) -> int:
    """Work until nothing is left, without the waits; the number of attempts."""
    settings.UPSTREAM_RETRY_SECONDS = 1e-6
    attempts = 0
    while Job.objects.filter(status="queued").exists():
        attempts += work()
    return attempts


def status(alert: Alert) -> tuple[str, list[tuple[str, str]]]:
    alert.refresh_from_db()
    return alert.status, list(alert.deliveries.order_by("pk").values_list("status", "error_type"))


class TestPlan:
    def test_to_the_customer_and_on_every_active_channel(self, customer: Customer, payers: list[Payer]) -> None:
        hook = channel(customer, "https://hooks.example.com/1")
        slack = channel(customer, "https://hooks.example.com/1", "slack")
        other = channel(customer, "second@mercy.example.com", "email")
        channel(customer, "ops@mercy.example.com", "email")
        AlertChannel.objects.create(
            customer=customer, channel_type="webhook", target="https://hooks.example.com/2", active=False
        )
        channel(Customer.objects.create(code="else", name="Else"), "https://hooks.example.com/3")
        alert = raised(customer, payers[0])
        found = alert.deliveries.order_by("pk")
        assert [
            ("email", "ops@mercy.example.com", None),
            ("webhook", "https://hooks.example.com/1", hook.pk),
            ("slack", "https://hooks.example.com/1", slack.pk),
            ("email", "second@mercy.example.com", other.pk),
        ] == list(found.values_list("channel_type", "target", "channel"))
        assert [(f"deliver:{each.pk}", {"delivery": each.pk}, customer.pk) for each in found] == list(
            Job.objects.filter(name=alerts.KIND).order_by("pk").values_list("key", "arguments", "customer")
        )

    def test_to_the_operators_where_the_customer_has_no_address(
        self, silent: Customer, payers: list[Payer], settings: Any
    ) -> None:
        settings.UPSTREAM_ALERT_RECIPIENTS = ["one@example.com", "two@example.com"]
        raised(silent, payers[0])
        work()
        assert [["one@example.com"], ["two@example.com"]] == [message.to for message in mail.outbox]

    def test_a_channel_is_enough(self, silent: Customer, payers: list[Payer]) -> None:
        channel(silent, "https://hooks.example.com/1")
        assert ["webhook"] == [each.channel_type for each in raised(silent, payers[0]).deliveries.all()]

    def test_nobody_to_tell_is_a_failure(
        self, silent: Customer, payers: list[Payer], settings: Any, tracked: Calls
    ) -> None:
        alert = raised(silent, payers[0])
        assert 1 == work_off(settings)
        assert ("failed", [("failed", "NoRecipient")]) == status(alert)
        assert "UPSTREAM_ALERT_RECIPIENTS" in AlertDelivery.objects.get().error
        assert [("DenialScope", "email", "NoRecipient", "mercy")] == named(tracked, "track_alert_failed")


class TestMail:
    def test_delivered(self, customer: Customer, payers: list[Payer], tracked: Calls) -> None:
        alert = raised(customer, payers[0])
        assert 1 == work()
        (sent,) = mail.outbox
        delivery = alert.deliveries.get()
        assert (alert.title, alert.body, ["ops@mercy.example.com"]) == (sent.subject, sent.body, sent.to)
        assert f"<{delivery.message_id}.{alert.pk}@localhost>" == sent.message()["Message-ID"]
        assert ("delivered", [("delivered", "")]) == status(alert)
        assert delivery.attempts == 1
        assert delivery.delivered_at is not None
        assert delivery.last_tried_at is not None
        assert [("DenialScope", "email", "mercy")] == named(tracked, "track_alert_delivered")
        ((product, seconds),) = named(tracked, "track_alert_processing")
        assert ("DenialScope", (delivery.delivered_at - alert.created_at).total_seconds()) == (product, seconds)
        assert [] == named(tracked, "track_alert_failed")

    @pytest.mark.parametrize(
        ("error", "word", "text", "attempts"),
        [
            (ConnectionRefusedError("me@private"), "Unreachable", "cannot be reached (ConnectionRefusedError)", 6),
            (smtplib.SMTPServerDisconnected("me@private"), "Unreachable", "(SMTPServerDisconnected)", 6),
            (TimeoutError("me@private"), "TimedOut", "did not answer in time", 6),
            (smtplib.SMTPAuthenticationError(535, b"me@private"), "Unavailable", "answered 535", 6),
            (smtplib.SMTPDataError(451, b"me@private"), "Unavailable", "answered 451", 6),
            (smtplib.SMTPRecipientsRefused({"me@private": (450, b"me@private")}), "Unavailable", "address: 450", 6),
            (smtplib.SMTPRecipientsRefused({"me@private": (550, b"me@private")}), "Refused", "address: 550", 1),
            (ValueError('Invalid address "me@private"'), "BadTarget", "the recipient is not valid", 1),
        ],
    )
    def test_failed(
        self,
        customer: Customer,
        payers: list[Payer],
        settings: Any,
        tracked: Calls,
        mail_fails: Any,
        error: Exception,
        word: str,
        text: str,
        attempts: int,
    ) -> None:
        alert = raised(customer, payers[0])
        mail_fails(error)
        assert attempts == work_off(settings)
        assert ("failed", [("failed", word)]) == status(alert)
        delivery = alert.deliveries.get()
        assert text in delivery.error
        assert "private" not in delivery.error + Job.objects.get(name=alerts.KIND).error
        assert attempts == delivery.attempts
        assert [("DenialScope", "email", word, "mercy")] == named(tracked, "track_alert_failed")
        assert [("alert_processing", word, "mercy")] * attempts == named(tracked, "track_job_failed")

    def test_an_address_of_two_lines(self, customer: Customer, payers: list[Payer], settings: Any) -> None:
        customer.alert_email = "me@private\nBcc: you@private"
        customer.save()
        alert = raised(customer, payers[0])
        assert 1 == work_off(settings)
        assert ("failed", [("failed", "BadTarget")]) == status(alert)
        assert "private" not in alert.deliveries.get().error + Job.objects.get(name=alerts.KIND).error


class TestRetry:
    @pytest.mark.parametrize("answer", [503, 429, SILENCE, HANG_UP])
    def test_is_delivered_in_the_end_under_the_same_id(
        self, silent: Customer, payers: list[Payer], settings: Any, tracked: Calls, answer: Answer
    ) -> None:
        settings.UPSTREAM_WEBHOOK_TIMEOUT = 0.1
        with receiver(answer, answer, 200) as server:
            channel(silent, server.url())
            alert = raised(silent, payers[0])
            assert 3 == work_off(settings)
            delivery = alert.deliveries.get()
            assert [str(delivery.message_id)] * 3 == [each.headers["webhook-id"] for each in server.requests]
            assert [server.requests[0].body] * 3 == [each.body for each in server.requests]
        assert ("delivered", [("delivered", "")]) == status(alert)
        assert (3, "") == (delivery.attempts, delivery.error)
        assert [("DenialScope", "webhook", "mercy")] == named(tracked, "track_alert_delivered")
        assert 1 == len(named(tracked, "track_alert_processing"))
        assert 2 == len(named(tracked, "track_job_failed"))
        assert [] == named(tracked, "track_alert_failed")

    def test_waits_between_attempts(self, silent: Customer, payers: list[Payer], settings: Any) -> None:
        settings.UPSTREAM_RETRY_SECONDS = 100
        with receiver(503) as server:
            channel(silent, server.url())
            alert = raised(silent, payers[0])
            assert 1 == work()
            assert 0 == work()
            first = Job.objects.get(name=alerts.KIND).due_at
            Job.objects.update(due_at=timezone.now())
            assert 1 == work()
            assert 0 == work()
            assert (2, "pending") == (len(server.requests), status(alert)[0])
        assert Job.objects.get(name=alerts.KIND).due_at > first

    def test_is_given_up_after_six(self, silent: Customer, payers: list[Payer], settings: Any, tracked: Calls) -> None:
        with receiver(500) as server:
            channel(silent, server.url())
            alert = raised(silent, payers[0])
            assert 6 == work_off(settings)
        assert 6 == len(server.requests)
        assert ("failed", [("failed", "Unavailable")]) == status(alert)
        assert "127.0.0.1 answered 500" == alert.deliveries.get().error
        assert [("DenialScope", "webhook", "Unavailable", "mercy")] == named(tracked, "track_alert_failed")

    def test_what_was_sent_and_could_not_be_stored_is_sent_again_under_the_same_id(
        self, silent: Customer, payers: list[Payer], settings: Any, tracked: Calls
    ) -> None:
        def fail_once(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "delivered_at" in sql and sql.startswith("UPDATE") and not failed:
                failed.append(sql)
                raise DatabaseError("gone")
            return execute(sql, params, many, context)

        failed: list[str] = []
        with receiver() as server, connection.execute_wrapper(fail_once):
            channel(silent, server.url())
            alert = raised(silent, payers[0])
            assert 2 == work_off(settings)
        assert 1 == len(failed)
        assert 2 == len(server.requests)
        assert 1 == len({each.headers["webhook-id"] for each in server.requests})
        assert ("delivered", [("delivered", "")]) == status(alert)
        assert 1 == len(named(tracked, "track_alert_delivered"))

    def test_is_marked_before_anything_is_sent(
        self, customer: Customer, payers: list[Payer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(delivery: AlertDelivery) -> None:
            seen.extend(AlertDelivery.objects.exclude(last_tried_at=None).values_list("attempts", "status"))
            raise KeyboardInterrupt

        seen: list[tuple[int, str]] = []
        monkeypatch.setattr("upstream.alerts.mail.send", die)
        raised(customer, payers[0])
        with pytest.raises(KeyboardInterrupt):
            work()
        assert [(1, "pending")] == seen
        assert [(1, "pending")] == list(AlertDelivery.objects.values_list("attempts", "status"))


class TestOnceDelivered:
    def test_another_job_does_not_send_it_again(self, customer: Customer, payers: list[Payer], tracked: Calls) -> None:
        alert = raised(customer, payers[0])
        work()
        jobs.enqueue(alerts.KIND, customer, delivery=alert.deliveries.get().pk)
        assert 1 == work()
        assert ["completed", "completed"] == list(Job.objects.filter(name=alerts.KIND).values_list("status", flat=True))
        assert (1, 1) == (len(mail.outbox), alert.deliveries.get().attempts)
        assert 1 == len(named(tracked, "track_alert_delivered"))

    def test_nor_gives_it_up(self, customer: Customer, payers: list[Payer], tracked: Calls) -> None:
        alert = raised(customer, payers[0])
        work()
        alerts.give_up(Job.objects.get(name=alerts.KIND))
        assert ("delivered", [("delivered", "")]) == status(alert)
        assert [] == named(tracked, "track_alert_failed")

    def test_a_removed_one_is_nobodys(self, customer: Customer, payers: list[Payer], tracked: Calls) -> None:
        raised(customer, payers[0]).delete()
        assert 1 == work()
        assert "completed" == Job.objects.get(name=alerts.KIND).status
        alerts.give_up(Job.objects.get(name=alerts.KIND))
        assert ([], []) == (mail.outbox, named(tracked, "track_alert_failed"))

    def test_one_given_up_may_still_be_delivered(
        self, customer: Customer, payers: list[Payer], settings: Any, mail_fails: Any
    ) -> None:
        usual = settings.EMAIL_BACKEND
        alert = raised(customer, payers[0])
        mail_fails(TimeoutError())
        work_off(settings)
        assert "failed" == status(alert)[0]
        settings.EMAIL_BACKEND = usual
        jobs.enqueue(alerts.KIND, customer, delivery=alert.deliveries.get().pk)
        work()
        assert ("delivered", [("delivered", "")]) == status(alert)


class TestStatusOfTheAlert:
    def test_delivered_when_one_way_worked(
        self, customer: Customer, payers: list[Payer], settings: Any, tracked: Calls
    ) -> None:
        with receiver(404) as server:
            channel(customer, server.url())
            alert = raised(customer, payers[0])
            assert "pending" == status(alert)[0]
            work_off(settings)
        assert ("delivered", [("delivered", ""), ("failed", "Refused")]) == status(alert)
        assert [("DenialScope", "webhook", "Refused", "mercy")] == named(tracked, "track_alert_failed")
        assert [("DenialScope", "email", "mercy")] == named(tracked, "track_alert_delivered")

    def test_delivered_though_another_way_had_failed_before(
        self, silent: Customer, payers: list[Payer], settings: Any
    ) -> None:
        with receiver(404) as bad, receiver() as good:
            channel(silent, bad.url())
            channel(silent, good.url())
            alert = raised(silent, payers[0])
            first, second = Job.objects.filter(name=alerts.KIND).order_by("pk")
            with pytest.raises(jobs.AttemptFailed):
                jobs.attempt(first.pk)
            assert ("pending", [("failed", "Refused"), ("pending", "")]) == status(alert)
            jobs.attempt(second.pk)
        assert ("delivered", [("failed", "Refused"), ("delivered", "")]) == status(alert)

    def test_failed_when_all_have(self, silent: Customer, payers: list[Payer], settings: Any) -> None:
        with receiver(404) as server:
            channel(silent, server.url("/1"))
            channel(silent, server.url("/2"))
            alert = raised(silent, payers[0])
            work_off(settings)
        assert ("failed", [("failed", "Refused"), ("failed", "Refused")]) == status(alert)

    def test_two_that_are_given_up_at_once_see_each_other(self, customer: Customer, payers: list[Payer]) -> None:
        raised(customer, payers[0])
        job = Job.objects.get(name=alerts.KIND)
        job.error_type = "Refused"
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            alerts.give_up(job)
        locks = ["FOR UPDATE" in query["sql"] for query in queries if query["sql"].startswith("SELECT")]
        # The alert is locked before anything is changed; SQLite has one writer anyway.
        assert connection.features.has_select_for_update == any(locks)


class TestGiveUp:
    def test_who_is_gone_is_not_written_to_again(self, silent: Customer, payers: list[Payer], settings: Any) -> None:
        with receiver(410) as server:
            hook = channel(silent, server.url())
            alert = raised(silent, payers[0])
            waiting = raised(silent, payers[1])
            assert 2 == work_off(settings)
        hook.refresh_from_db()
        assert not hook.active
        assert ("failed", [("failed", "Gone")]) == status(alert)
        assert ("failed", [("failed", "ChannelClosed")]) == status(waiting)
        assert 1 == len(server.requests)

    def test_another_refusal_leaves_the_channel_as_it_is(
        self, silent: Customer, payers: list[Payer], settings: Any
    ) -> None:
        with receiver(404) as server:
            hook = channel(silent, server.url())
            raised(silent, payers[0])
            work_off(settings)
        hook.refresh_from_db()
        assert hook.active

    def test_a_channel_removed_meanwhile_is_not_written_to(
        self, silent: Customer, payers: list[Payer], settings: Any
    ) -> None:
        with receiver() as server:
            hook = channel(silent, server.url())
            alert = raised(silent, payers[0])
            hook.delete()
            work_off(settings)
        assert ("failed", [("failed", "ChannelClosed")]) == status(alert)
        assert [] == server.requests

    def test_is_not_counted_when_it_could_not_be_stored(
        self, customer: Customer, payers: list[Payer], tracked: Calls
    ) -> None:
        raised(customer, payers[0])
        job = Job.objects.get(name=alerts.KIND)
        job.error_type = "Refused"
        with pytest.raises(DatabaseError), transaction.atomic():
            alerts.give_up(job)
            raise DatabaseError("gone")
        assert [] == named(tracked, "track_alert_failed")

    def test_a_worker_lost_in_the_last_attempt(self, customer: Customer, payers: list[Payer], tracked: Calls) -> None:
        alert = raised(customer, payers[0])
        past = timezone.now() - datetime.timedelta(hours=1)
        Job.objects.filter(name=alerts.KIND).update(
            status="running", attempts=6, lease=alert.deliveries.get().message_id, lease_until=past
        )
        jobs.sweep()
        assert ("failed", [("failed", "WorkerLost")]) == status(alert)
        assert [("DenialScope", "email", "WorkerLost", "mercy")] == named(tracked, "track_alert_failed")


class TestSecrets:
    PATH = "/services/T000/B000/private-part"

    @pytest.mark.parametrize("answer", [404, 410, 302, 503, SILENCE, HANG_UP])
    @pytest.mark.parametrize("channel_type", ["webhook", "slack"])
    def test_neither_stored_nor_logged(
        self,
        silent: Customer,
        payers: list[Payer],
        settings: Any,
        caplog: pytest.LogCaptureFixture,
        answer: Answer,
        channel_type: str,
    ) -> None:
        settings.UPSTREAM_WEBHOOK_TIMEOUT = 0.1
        with caplog.at_level(logging.DEBUG), receiver(answer) as server:
            channel(silent, server.url(self.PATH), channel_type)
            delivery = raised(silent, payers[0]).deliveries.get()
            job = Job.objects.get(name=alerts.KIND)
            with pytest.raises(jobs.AttemptFailed) as failed:
                jobs.attempt(job.pk)
            Job.objects.update(max_attempts=1, due_at=timezone.now())
            work()
        delivery.refresh_from_db()
        job.refresh_from_db()
        told = "".join(traceback.format_exception(failed.value))
        told += caplog.text + delivery.error + job.error + str(delivery) + str(delivery.channel) + str(job)
        assert "127.0.0.1" in told
        assert [] == [secret for secret in ("private-part", SECRET, SECRET.removeprefix("whsec_")) if secret in told]
