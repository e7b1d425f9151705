"""The HTTP interface: JSON answers, errors included; every call names its customer by code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from upstream import metrics
from upstream.detection import detect, last_day
from upstream.ingestion import FileRejected, ingest, progress
from upstream.ingestion.reader import shorten
from upstream.models import Alert, ClaimBatch, Customer, DriftEvent
from upstream.uploads import UploadRefused, received

View = Callable[[HttpRequest], JsonResponse]


class ApiError(Exception):
    """A request that cannot be served: the status and the message of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def api(method: str) -> Callable[[View], View]:
    """An endpoint for programs: one method, the token instead of a cookie, errors as `{"error": message}`."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def endpoint(request: HttpRequest) -> JsonResponse:
            if request.method != method:
                answer = JsonResponse({"error": f"{request.path} takes {method}, not {request.method}"}, status=405)
                answer["Allow"] = method
                return answer
            token = settings.UPSTREAM_UPLOAD_TOKEN
            if token and not constant_time_compare(request.headers.get("X-Upstream-Token", ""), token):
                return JsonResponse({"error": "the header X-Upstream-Token is missing or wrong"}, status=401)
            try:
                return view(request)
            except ApiError as error:
                return JsonResponse({"error": str(error)}, status=error.status)

        return endpoint

    return decorate


@api("POST")
def upload_claims(request: HttpRequest) -> JsonResponse:
    """`POST /claims/upload/`, multipart: `customer` (a code) and `file` (CSV). 201 with the batch."""
    try:
        with received(request, settings.UPSTREAM_MAX_UPLOAD_BYTES) as (fields, files):
            customer = _customer(request, fields.get("customer"), "claims_upload")
            upload = files.get("file")
            if upload is None:
                raise ApiError(400, "the field 'file' is missing: send a CSV file as multipart/form-data")
            name = upload.name or "upload.csv"
            batch = ingest(customer, upload.file, name)
    except UploadRefused as error:
        raise ApiError(error.status, str(error)) from error
    except FileRejected as error:
        raise ApiError(400, f"{shorten(name)}: {error}") from error
    scores = {score.metric_type: round(score.score, 4) for score in batch.scores.all()}
    rejected = batch.rejected_rows.order_by("line_number")[:20]
    return JsonResponse(
        {
            **_batch(batch),
            "scores": scores,
            "first_rejected": [{"line": row.line_number, "reasons": row.reasons} for row in rejected],
        },
        status=201,
    )


@api("GET")
def list_batches(request: HttpRequest) -> JsonResponse:
    """`GET /claims/batches/?customer=CODE`: the latest batches, with the rows read so far."""
    customer = _customer(request, request.GET.get("customer"), "claims_batches")
    return JsonResponse({"batches": [_batch(batch) for batch in customer.batches.order_by("-pk")[:20]]})


@api("POST")
def run_detection(request: HttpRequest) -> JsonResponse:
    """`POST /detection/run/`: `customer` (a code), optionally `end` (the last day compared)."""
    customer = _customer(request, request.POST.get("customer"), "detection_run")
    given = request.POST.get("end")
    try:
        end = last_day(given) if given else None
    except ValueError as error:
        raise ApiError(400, f"'end': {error}") from error
    result = detect(customer, end)
    return JsonResponse(
        {
            "customer": customer.code,
            "window_start": result.windows and result.windows.recent_start,
            "window_end": result.windows and result.windows.end,
            "events": [_event(event) for event in result.events],
            "alerts": [_alert(alert) for alert in result.alerts],
        }
    )


def _customer(request: HttpRequest, code: str | None, endpoint: str) -> Customer:
    if not code:
        raise ApiError(400, "the field 'customer' is missing: give the code of a customer")
    try:
        customer = Customer.objects.get(code=code)
    except Customer.DoesNotExist:
        raise ApiError(404, f"customer {shorten(code)!r} is not known; give the code of a customer") from None
    metrics.track_api_call(endpoint, str(request.method), customer.code)
    return customer


def _batch(batch: ClaimBatch) -> dict[str, Any]:
    return {
        "batch": batch.pk,
        "filename": batch.filename,
        "status": batch.status,
        "rows": progress(batch),
        "accepted": batch.accepted_count,
        "rejected": batch.rejected_count,
        "error": batch.error,
    }


def _event(event: DriftEvent) -> dict[str, Any]:
    return {
        "payer": event.payer.code,
        "product": event.product,
        "drift_type": event.drift_type,
        "severity": round(event.severity, 4),
        "baseline": event.baseline,
        "current": event.current,
        "p_value": event.p_value,
        "suppressed": event.suppressed,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.pk,
        "severity": alert.severity,
        "status": alert.status,
        "title": alert.title,
        "body": alert.body,
    }
