"""Every business metric reaches a scrape as it is declared, and takes no value outside its labels.

Generated from the declarations by `manage.py telemetry_generate`, which overwrites what is changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from telemetry.business import alerts, api, drift, jobs, labels, quality, reports
from telemetry.tests.business.harness import Scrape, Shown, scrape


@pytest.fixture
def page() -> Iterator[Scrape]:
    with scrape() as found:
        yield found


class TestUpstreamAlertCreated:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        alerts.ALERT_CREATED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            severity=alerts.Severity.LOW,
            customer_id="some",
        )
        shown = Shown("counter", {"product": "DriftWatch", "severity": "low", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_alert_created_total")

    def test_product_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_CREATED.add(
            3,
            product="other",  # type: ignore[arg-type]
            severity=alerts.Severity.LOW,
            customer_id="some",
        )
        assert {("upstream_alert_created_total", "unknown_value"): 1} == page.dropped()

    def test_severity_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_CREATED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            severity="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_alert_created_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamAlertDelivered:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        alerts.ALERT_DELIVERED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            channel_type=alerts.Channel.EMAIL,
            customer_id="some",
        )
        shown = Shown("counter", {"product": "DriftWatch", "channel_type": "email", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_alert_delivered_total")

    def test_product_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_DELIVERED.add(
            3,
            product="other",  # type: ignore[arg-type]
            channel_type=alerts.Channel.EMAIL,
            customer_id="some",
        )
        assert {("upstream_alert_delivered_total", "unknown_value"): 1} == page.dropped()

    def test_channel_type_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_DELIVERED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            channel_type="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_alert_delivered_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamAlertFailed:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        alerts.ALERT_FAILED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            channel_type=alerts.Channel.EMAIL,
            error_type="some",
            customer_id="some",
        )
        shown = Shown(
            "counter",
            {"product": "DriftWatch", "channel_type": "email", "error_type": "some", "customer_id": "some"},
            3,
        )
        assert shown == page.read("upstream_alert_failed_total")

    def test_product_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_FAILED.add(
            3,
            product="other",  # type: ignore[arg-type]
            channel_type=alerts.Channel.EMAIL,
            error_type="some",
            customer_id="some",
        )
        assert {("upstream_alert_failed_total", "unknown_value"): 1} == page.dropped()

    def test_channel_type_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_FAILED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            channel_type="other",  # type: ignore[arg-type]
            error_type="some",
            customer_id="some",
        )
        assert {("upstream_alert_failed_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamAlertSuppressed:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        alerts.ALERT_SUPPRESSED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            reason=alerts.Suppression.COOLDOWN,
            customer_id="some",
        )
        shown = Shown("counter", {"product": "DriftWatch", "reason": "cooldown", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_alert_suppressed_total")

    def test_product_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_SUPPRESSED.add(
            3,
            product="other",  # type: ignore[arg-type]
            reason=alerts.Suppression.COOLDOWN,
            customer_id="some",
        )
        assert {("upstream_alert_suppressed_total", "unknown_value"): 1} == page.dropped()

    def test_reason_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_SUPPRESSED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            reason="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_alert_suppressed_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamAlertProcessingSeconds:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        alerts.ALERT_PROCESSING.record(
            0.5,
            product=labels.Product.DRIFTWATCH,
        )
        shown = Shown(
            "histogram",
            {"product": "DriftWatch"},
            0.5,
            {0.1: 0, 0.5: 1, 1: 1, 2: 1, 5: 1, 10: 1, 30: 1, 60: 1, float("inf"): 1},
        )
        assert shown == page.read("upstream_alert_processing_seconds")

    def test_product_takes_no_other_value(self, page: Scrape) -> None:
        alerts.ALERT_PROCESSING.record(
            0.5,
            product="other",  # type: ignore[arg-type]
        )
        assert {("upstream_alert_processing_seconds", "unknown_value"): 1} == page.dropped()


class TestUpstreamApiEndpointCalls:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        api.API_ENDPOINT_CALLS.add(
            3,
            endpoint="some",
            method=api.Method.GET,
            customer_id="some",
        )
        shown = Shown("counter", {"endpoint": "some", "method": "GET", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_api_endpoint_calls_total")

    def test_method_takes_no_other_value(self, page: Scrape) -> None:
        api.API_ENDPOINT_CALLS.add(
            3,
            endpoint="some",
            method="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_api_endpoint_calls_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamApiRateLimitHit:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        api.API_RATE_LIMIT_HIT.add(
            3,
            endpoint="some",
            throttle_class="some",
            customer_id="some",
        )
        shown = Shown("counter", {"endpoint": "some", "throttle_class": "some", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_api_rate_limit_hit_total")


class TestUpstreamCacheHit:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        api.CACHE_HIT.add(
            3,
            cache_key_prefix="some",
        )
        shown = Shown("counter", {"cache_key_prefix": "some"}, 3)
        assert shown == page.read("upstream_cache_hit_total")


class TestUpstreamCacheMiss:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        api.CACHE_MISS.add(
            3,
            cache_key_prefix="some",
        )
        shown = Shown("counter", {"cache_key_prefix": "some"}, 3)
        assert shown == page.read("upstream_cache_miss_total")


class TestUpstreamDriftEventDetected:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        drift.DRIFT_EVENT_DETECTED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            drift_type=drift.DriftType.PAYMENT_DELAY,
            severity_level=drift.SeverityLevel.LOW,
            customer_id="some",
        )
        shown = Shown(
            "counter",
            {"product": "DriftWatch", "drift_type": "payment_delay", "severity_level": "low", "customer_id": "some"},
            3,
        )
        assert shown == page.read("upstream_drift_event_detected_total")

    def test_product_takes_no_other_value(self, page: Scrape) -> None:
        drift.DRIFT_EVENT_DETECTED.add(
            3,
            product="other",  # type: ignore[arg-type]
            drift_type=drift.DriftType.PAYMENT_DELAY,
            severity_level=drift.SeverityLevel.LOW,
            customer_id="some",
        )
        assert {("upstream_drift_event_detected_total", "unknown_value"): 1} == page.dropped()

    def test_drift_type_takes_no_other_value(self, page: Scrape) -> None:
        drift.DRIFT_EVENT_DETECTED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            drift_type="other",  # type: ignore[arg-type]
            severity_level=drift.SeverityLevel.LOW,
            customer_id="some",
        )
        assert {("upstream_drift_event_detected_total", "unknown_value"): 1} == page.dropped()

    def test_severity_level_takes_no_other_value(self, page: Scrape) -> None:
        drift.DRIFT_EVENT_DETECTED.add(
            3,
            product=labels.Product.DRIFTWATCH,
            drift_type=drift.DriftType.PAYMENT_DELAY,
            severity_level="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_drift_event_detected_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamDriftComputationSeconds:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        drift.DRIFT_COMPUTATION.record(
            5,
            product=labels.Product.DRIFTWATCH,
        )
        shown = Shown(
            "histogram",
            {"product": "DriftWatch"},
            5,
            {1: 0, 5: 1, 10: 1, 30: 1, 60: 1, 120: 1, 300: 1, 600: 1, float("inf"): 1},
        )
        assert shown == page.read("upstream_drift_computation_seconds")

    def test_product_takes_no_other_value(self, page: Scrape) -> None:
        drift.DRIFT_COMPUTATION.record(
            5,
            product="other",  # type: ignore[arg-type]
        )
        assert {("upstream_drift_computation_seconds", "unknown_value"): 1} == page.dropped()


class TestUpstreamPaymentDelaySignal:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        drift.PAYMENT_DELAY_SIGNAL.add(
            3,
            severity=drift.SeverityLevel.LOW,
            customer_id="some",
        )
        shown = Shown("counter", {"severity": "low", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_payment_delay_signal_total")

    def test_severity_takes_no_other_value(self, page: Scrape) -> None:
        drift.PAYMENT_DELAY_SIGNAL.add(
            3,
            severity="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_payment_delay_signal_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamDenialSignal:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        drift.DENIAL_SIGNAL.add(
            3,
            signal_type=drift.DenialSignal.RATE_CHANGE,
            customer_id="some",
        )
        shown = Shown("counter", {"signal_type": "rate_change", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_denial_signal_total")

    def test_signal_type_takes_no_other_value(self, page: Scrape) -> None:
        drift.DENIAL_SIGNAL.add(
            3,
            signal_type="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_denial_signal_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamBackgroundJobStarted:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        jobs.BACKGROUND_JOB_STARTED.add(
            3,
            job_type=jobs.JobType.DRIFT_DETECTION,
            customer_id="some",
        )
        shown = Shown("counter", {"job_type": "drift_detection", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_background_job_started_total")

    def test_job_type_takes_no_other_value(self, page: Scrape) -> None:
        jobs.BACKGROUND_JOB_STARTED.add(
            3,
            job_type="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_background_job_started_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamBackgroundJobCompleted:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        jobs.BACKGROUND_JOB_COMPLETED.add(
            3,
            job_type=jobs.JobType.DRIFT_DETECTION,
            customer_id="some",
        )
        shown = Shown("counter", {"job_type": "drift_detection", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_background_job_completed_total")

    def test_job_type_takes_no_other_value(self, page: Scrape) -> None:
        jobs.BACKGROUND_JOB_COMPLETED.add(
            3,
            job_type="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_background_job_completed_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamBackgroundJobFailed:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        jobs.BACKGROUND_JOB_FAILED.add(
            3,
            job_type=jobs.JobType.DRIFT_DETECTION,
            error_type="some",
            customer_id="some",
        )
        shown = Shown("counter", {"job_type": "drift_detection", "error_type": "some", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_background_job_failed_total")

    def test_job_type_takes_no_other_value(self, page: Scrape) -> None:
        jobs.BACKGROUND_JOB_FAILED.add(
            3,
            job_type="other",  # type: ignore[arg-type]
            error_type="some",
            customer_id="some",
        )
        assert {("upstream_background_job_failed_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamBackgroundJobDurationSeconds:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        jobs.BACKGROUND_JOB_DURATION.record(
            5,
            job_type=jobs.JobType.DRIFT_DETECTION,
        )
        shown = Shown(
            "histogram",
            {"job_type": "drift_detection"},
            5,
            {1: 0, 5: 1, 30: 1, 60: 1, 300: 1, 600: 1, 1800: 1, 3600: 1, float("inf"): 1},
        )
        assert shown == page.read("upstream_background_job_duration_seconds")

    def test_job_type_takes_no_other_value(self, page: Scrape) -> None:
        jobs.BACKGROUND_JOB_DURATION.record(
            5,
            job_type="other",  # type: ignore[arg-type]
        )
        assert {("upstream_background_job_duration_seconds", "unknown_value"): 1} == page.dropped()


class TestUpstreamDataQualityScore:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        quality.DATA_QUALITY_SCORE.set(
            0.5,
            customer_id="some",
            metric_type=quality.QualityMetric.COMPLETENESS,
        )
        shown = Shown("gauge", {"customer_id": "some", "metric_type": "completeness"}, 0.5)
        assert shown == page.read("upstream_data_quality_score")

    def test_metric_type_takes_no_other_value(self, page: Scrape) -> None:
        quality.DATA_QUALITY_SCORE.set(
            0.5,
            customer_id="some",
            metric_type="other",  # type: ignore[arg-type]
        )
        assert {("upstream_data_quality_score", "unknown_value"): 1} == page.dropped()


class TestUpstreamDataQualityCheckFailed:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        quality.DATA_QUALITY_CHECK_FAILED.add(
            3,
            check_type=quality.Check.MISSING_REQUIRED_FIELD,
            severity=quality.CheckSeverity.WARNING,
            customer_id="some",
        )
        shown = Shown(
            "counter", {"check_type": "missing_required_field", "severity": "warning", "customer_id": "some"}, 3
        )
        assert shown == page.read("upstream_data_quality_check_failed_total")

    def test_check_type_takes_no_other_value(self, page: Scrape) -> None:
        quality.DATA_QUALITY_CHECK_FAILED.add(
            3,
            check_type="other",  # type: ignore[arg-type]
            severity=quality.CheckSeverity.WARNING,
            customer_id="some",
        )
        assert {("upstream_data_quality_check_failed_total", "unknown_value"): 1} == page.dropped()

    def test_severity_takes_no_other_value(self, page: Scrape) -> None:
        quality.DATA_QUALITY_CHECK_FAILED.add(
            3,
            check_type=quality.Check.MISSING_REQUIRED_FIELD,
            severity="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_data_quality_check_failed_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamClaimRecordsIngested:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        quality.CLAIM_RECORDS_INGESTED.add(
            3,
            customer_id="some",
            status=quality.IngestionStatus.SUCCESS,
        )
        shown = Shown("counter", {"customer_id": "some", "status": "success"}, 3)
        assert shown == page.read("upstream_claim_records_ingested_total")

    def test_status_takes_no_other_value(self, page: Scrape) -> None:
        quality.CLAIM_RECORDS_INGESTED.add(
            3,
            customer_id="some",
            status="other",  # type: ignore[arg-type]
        )
        assert {("upstream_claim_records_ingested_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamIngestionProcessingSeconds:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        quality.INGESTION_PROCESSING.record(
            1,
            customer_id="some",
        )
        shown = Shown(
            "histogram",
            {"customer_id": "some"},
            1,
            {0.5: 0, 1: 1, 5: 1, 10: 1, 30: 1, 60: 1, 120: 1, 300: 1, float("inf"): 1},
        )
        assert shown == page.read("upstream_ingestion_processing_seconds")


class TestUpstreamReportGenerated:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        reports.REPORT_GENERATED.add(
            3,
            report_type=reports.ReportType.DRIFT_SUMMARY,
            customer_id="some",
        )
        shown = Shown("counter", {"report_type": "drift_summary", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_report_generated_total")

    def test_report_type_takes_no_other_value(self, page: Scrape) -> None:
        reports.REPORT_GENERATED.add(
            3,
            report_type="other",  # type: ignore[arg-type]
            customer_id="some",
        )
        assert {("upstream_report_generated_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamReportGenerationFailed:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        reports.REPORT_GENERATION_FAILED.add(
            3,
            report_type=reports.ReportType.DRIFT_SUMMARY,
            error_type="some",
            customer_id="some",
        )
        shown = Shown("counter", {"report_type": "drift_summary", "error_type": "some", "customer_id": "some"}, 3)
        assert shown == page.read("upstream_report_generation_failed_total")

    def test_report_type_takes_no_other_value(self, page: Scrape) -> None:
        reports.REPORT_GENERATION_FAILED.add(
            3,
            report_type="other",  # type: ignore[arg-type]
            error_type="some",
            customer_id="some",
        )
        assert {("upstream_report_generation_failed_total", "unknown_value"): 1} == page.dropped()


class TestUpstreamReportGenerationSeconds:
    def test_is_shown_as_declared(self, page: Scrape) -> None:
        reports.REPORT_GENERATION.record(
            5,
            report_type=reports.ReportType.DRIFT_SUMMARY,
        )
        shown = Shown(
            "histogram",
            {"report_type": "drift_summary"},
            5,
            {1: 0, 5: 1, 10: 1, 30: 1, 60: 1, 120: 1, 300: 1, 600: 1, float("inf"): 1},
        )
        assert shown == page.read("upstream_report_generation_seconds")

    def test_report_type_takes_no_other_value(self, page: Scrape) -> None:
        reports.REPORT_GENERATION.record(
            5,
            report_type="other",  # type: ignore[arg-type]
        )
        assert {("upstream_report_generation_seconds", "unknown_value"): 1} == page.dropped()
