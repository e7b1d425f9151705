"""Two customers with a row in every table, told apart by ids and words."""

from __future__ import annotations

from django.utils import timezone

from upstream.models import (
    Alert,
    AlertChannel,
    AlertDelivery,
    Claim,
    ClaimBatch,
    Customer,
    DriftEvent,
    Job,
    Payer,
    QualityScore,
    QualitySnapshot,
    RejectedRow,
    Report,
)

MINE, THEIRS = 1_001, 2_002
"""The ids of all rows of either customer, whatever the table."""
WORDS = {MINE: "mine", THEIRS: "theirs"}
"""What stands in all of their texts."""


def plant(pk: int) -> Customer:
    """A customer with a row in every table."""
    word, today, now = WORDS.get(pk, f"word{pk}"), timezone.localdate(), timezone.now()
    owner = Customer.objects.create(pk=pk, code=word, name=word, alert_email=f"{word}@example.com")
    payer = Payer.objects.create(pk=pk, code=f"{word}-payer", name=word)
    batch = ClaimBatch.objects.create(pk=pk, customer=owner, filename=word, error=word)
    Claim.objects.create(
        pk=pk, customer=owner, payer=payer, batch=batch, claim_id=word, procedure_code="99213", billed_amount=1,
        service_date=today, submitted_date=today, denied=True, denial_reason=word,
    )  # fmt: skip
    reason = {"column": "payer", "check": "schema", "given": word, "valid": word}
    RejectedRow.objects.create(pk=pk, batch=batch, line_number=2, row={"claim_id": word}, reasons=[reason])
    QualityScore.objects.create(pk=pk, batch=batch, metric_type="accuracy", score=0.5)
    QualitySnapshot.objects.create(pk=pk, customer=owner, day=today, metric_type="accuracy", score=0.5)
    job = Job.objects.create(
        pk=pk, customer=owner, name="detect", job_type="drift_detection", arguments={"of": word}, result={"of": word},
        due_at=now, finished_at=now, status="completed",
    )  # fmt: skip
    event = DriftEvent.objects.create(
        pk=pk, job=job, customer=owner, payer=payer, product="DenialScope", drift_type="denial_rate", subject=word,
        severity=0.9, baseline=0.1, current=0.2, baseline_size=500, current_size=100, effect=0.5, p_value=0.01,
        window_start=today, window_end=today,
    )  # fmt: skip
    alert = Alert.objects.create(pk=pk, event=event, customer=owner, severity="high", title=word, body=word)
    channel = AlertChannel.objects.create(
        pk=pk, customer=owner, channel_type="webhook", target=f"https://{word}.example.com/", secret=word
    )
    AlertDelivery.objects.create(pk=pk, alert=alert, channel=channel, channel_type="webhook", target=word)
    Report.objects.create(
        pk=pk, customer=owner, report_type="denial_analysis", start=today, end=today, status="completed",
        html=f"<p>{word}</p>", csv=f"payer\n{word}\n", finished_at=now,
    )  # fmt: skip
    return owner
