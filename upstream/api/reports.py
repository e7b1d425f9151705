"""Reports: asked for, written by a job, read as a page or a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from upstream import reports
from upstream.api import report_content
from upstream.api.base import CustomersOwn, Filters
from upstream.api.errors import ErrorSerializer, Refused
from upstream.api.throttling import Jobs
from upstream.models import Report


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report over the days from `start` to `end`, ends included: `pending`, then `completed` or `failed`."""

    class Meta:
        model = Report
        fields = ("id", "report_type", "start", "end", "status", "error", "created_at", "finished_at")
        read_only_fields = ("status", "error", "finished_at")


class ReportFilters(Filters):
    """Which reports."""

    report_type = serializers.ChoiceField(choices=Report.ReportType.choices, required=False)
    status = serializers.ChoiceField(choices=Report.Status.choices, required=False)


@extend_schema_view(list=extend_schema(parameters=[ReportFilters]))
class ReportView(ListModelMixin, RetrieveModelMixin, CustomersOwn):
    """Reports, and what is in them."""

    # What is in them may be large, and is read by itself.
    queryset = Report.objects.defer("html", "csv")
    serializer_class = ReportSerializer
    filters = ReportFilters

    def get_throttles(self) -> list[BaseThrottle]:
        return [*super().get_throttles(), *([Jobs()] if self.action == "create" else [])]

    @extend_schema(responses={202: ReportSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a report; a job writes it."""
        wanted = ReportSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            report = reports.request(self.customer, **wanted.validated_data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error
        return Response(ReportSerializer(report).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR, 409: ErrorSerializer})
    @action(detail=True)
    def html(self, request: Request, **kwargs: Any) -> HttpResponse:
        """A completed report as a page."""
        return report_content.html(self._completed())

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR, 409: ErrorSerializer})
    @action(detail=True)
    def csv(self, request: Request, **kwargs: Any) -> HttpResponse:
        """The figures of a completed report as a file."""
        return report_content.csv(self._completed())

    def _completed(self) -> Report:
        report: Report = self.get_object()
        if report.status != Report.Status.COMPLETED:
            raise Refused(status.HTTP_409_CONFLICT, f"report {report.pk} is {report.status}, not completed")
        return report
