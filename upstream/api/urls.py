"""The URLs of the API; the name of each is that of the endpoint on the metrics."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from upstream.api.alerts import AlertView
from upstream.api.batches import BatchView
from upstream.api.customers import CustomerView
from upstream.api.drift import DetectionView, EventView
from upstream.api.jobs import JobView
from upstream.api.reports import ReportView
from upstream.api.schema import SchemaView

router = SimpleRouter(use_regex_path=False)
router.register("batches", BatchView, "batches")
router.register("events", EventView, "events")
router.register("detections", DetectionView, "detections")
router.register("alerts", AlertView, "alerts")
router.register("reports", ReportView, "reports")
router.register("jobs", JobView, "jobs")

urlpatterns = [
    path("customer/", CustomerView.as_view({"get": "retrieve"}), name="customer"),
    path("", include(router.urls)),
    path("schema/", SchemaView.as_view(), name="schema"),
]
