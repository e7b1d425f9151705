"""What callers with plain strings record the 24 contracted families with: a `track_*` helper for each.

A helper never raises into its caller: a value that does not fit (a label outside its set, a
negative count, NaN) is dropped, counted in `telemetry_measurements_dropped_total` and logged
once. Code that wants its labels checked by mypy, and every metric declared since, calls the
declaration itself: `telemetry.business.alerts.ALERT_CREATED.add(...)`.
"""

from __future__ import annotations

from telemetry.business import Unfit, alerts, api, drift, jobs, quality, register_all, reports

register_all()


def track_alert_created(product: str, severity: str, customer_id: str | int) -> None:
    """An alert was raised."""
    alerts.ALERT_CREATED.offer(1, product=product, severity=severity, customer_id=customer_id)


def track_alert_delivered(product: str, channel_type: str, customer_id: str | int) -> None:
    """An alert reached the customer."""
    alerts.ALERT_DELIVERED.offer(1, product=product, channel_type=channel_type, customer_id=customer_id)


def track_alert_failed(product: str, channel_type: str, error_type: str, customer_id: str | int) -> None:
    """A delivery failed; `error_type` is the class name of the error."""
    alerts.ALERT_FAILED.offer(
        1, product=product, channel_type=channel_type, error_type=error_type, customer_id=customer_id
    )


def track_alert_suppressed(product: str, reason: str, customer_id: str | int) -> None:
    """An alert was not raised, for a reason."""
    alerts.ALERT_SUPPRESSED.offer(1, product=product, reason=reason, customer_id=customer_id)


def track_alert_processing(product: str, seconds: float) -> None:
    """An alert was processed in so many seconds."""
    alerts.ALERT_PROCESSING.offer(seconds, product=product)


def track_drift_event(product: str, drift_type: str, severity: float, customer_id: str | int) -> None:
    """A drift event was detected; `severity` is its score, 0.0 to 1.0."""
    try:
        level = drift.SeverityLevel.of(severity)
    except Unfit as unfit:
        drift.DRIFT_EVENT_DETECTED.drop(unfit.reason, f"severity: {unfit.detail}")
        return
    drift.DRIFT_EVENT_DETECTED.offer(
        1, product=product, drift_type=drift_type, severity_level=level, customer_id=customer_id
    )


def track_drift_computation(product: str, seconds: float) -> None:
    """Drift was computed in so many seconds."""
    drift.DRIFT_COMPUTATION.offer(seconds, product=product)


def track_payment_delay_signal(severity: str, customer_id: str | int) -> None:
    """Payments come later; `severity` is low, medium or high."""
    drift.PAYMENT_DELAY_SIGNAL.offer(1, severity=severity, customer_id=customer_id)


def track_denial_signal(signal_type: str, customer_id: str | int) -> None:
    """Denials change."""
    drift.DENIAL_SIGNAL.offer(1, signal_type=signal_type, customer_id=customer_id)


def track_data_quality_score(customer_id: str | int, metric_type: str, score: float) -> None:
    """A batch was scored, 0.0 to 1.0."""
    quality.DATA_QUALITY_SCORE.offer(score, customer_id=customer_id, metric_type=metric_type)


def track_data_quality_check_failed(check_type: str, severity: str, customer_id: str | int, count: int = 1) -> None:
    """A check failed on so many rows."""
    quality.DATA_QUALITY_CHECK_FAILED.offer(count, check_type=check_type, severity=severity, customer_id=customer_id)


def track_ingestion(customer_id: str | int, record_count: int, status: str = "success") -> None:
    """So many claim records were ingested."""
    quality.CLAIM_RECORDS_INGESTED.offer(record_count, customer_id=customer_id, status=status)


def track_ingestion_processing(customer_id: str | int, seconds: float) -> None:
    """A batch was ingested in so many seconds."""
    quality.INGESTION_PROCESSING.offer(seconds, customer_id=customer_id)


def track_job_started(job_type: str, customer_id: str | int) -> None:
    """A background job began."""
    jobs.BACKGROUND_JOB_STARTED.offer(1, job_type=job_type, customer_id=customer_id)


def track_job_completed(job_type: str, customer_id: str | int) -> None:
    """A background job came to its end."""
    jobs.BACKGROUND_JOB_COMPLETED.offer(1, job_type=job_type, customer_id=customer_id)


def track_job_failed(job_type: str, error_type: str, customer_id: str | int) -> None:
    """A background job failed; `error_type` is the class name of the error."""
    jobs.BACKGROUND_JOB_FAILED.offer(1, job_type=job_type, error_type=error_type, customer_id=customer_id)


def track_job_duration(job_type: str, seconds: float) -> None:
    """A background job ran for so many seconds."""
    jobs.BACKGROUND_JOB_DURATION.offer(seconds, job_type=job_type)


def track_report_generated(report_type: str, customer_id: str | int) -> None:
    """A report was written."""
    reports.REPORT_GENERATED.offer(1, report_type=report_type, customer_id=customer_id)


def track_report_failed(report_type: str, error_type: str, customer_id: str | int) -> None:
    """A report could not be written; `error_type` is the class name of the error."""
    reports.REPORT_GENERATION_FAILED.offer(1, report_type=report_type, error_type=error_type, customer_id=customer_id)


def track_report_generation(report_type: str, seconds: float) -> None:
    """A report was written in so many seconds."""
    reports.REPORT_GENERATION.offer(seconds, report_type=report_type)


def track_api_call(endpoint: str, method: str, customer_id: str | int) -> None:
    """A customer called an endpoint."""
    api.API_ENDPOINT_CALLS.offer(1, endpoint=endpoint, method=method, customer_id=customer_id)


def track_rate_limit_hit(endpoint: str, throttle_class: str, customer_id: str | int) -> None:
    """A call was refused by a rate limit."""
    api.API_RATE_LIMIT_HIT.offer(1, endpoint=endpoint, throttle_class=throttle_class, customer_id=customer_id)


def track_cache_hit(cache_key_prefix: str) -> None:
    """A value was in the cache."""
    api.CACHE_HIT.offer(1, cache_key_prefix=cache_key_prefix)


def track_cache_miss(cache_key_prefix: str) -> None:
    """A value was not in the cache."""
    api.CACHE_MISS.offer(1, cache_key_prefix=cache_key_prefix)
