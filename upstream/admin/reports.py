"""Reports, and the way to what is in them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from upstream.admin.base import ReadOnly
from upstream.api import report_content
from upstream.models import Report


@admin.register(Report)
class ReportAdmin(ReadOnly):
    """Reports; a completed one is opened in a page that may do nothing but be read."""

    list_display = ("report_type", "pages", "customer", "start", "end", "status", "created_at", "finished_at")
    list_filter = ("report_type", "status", "customer")
    list_select_related = ("customer",)
    search_fields = ("customer__code",)
    date_hierarchy = "created_at"
    exclude = ("html", "csv")
    readonly_fields = ("pages",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("html", "csv")

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<int:pk>/html/", self.admin_site.admin_view(self.html), name="upstream_report_html"),
            path("<int:pk>/csv/", self.admin_site.admin_view(self.csv), name="upstream_report_csv"),
        ]
        return [*own, *super().get_urls()]

    @admin.display(description="open")
    def pages(self, report: Report) -> str:
        """Links to a completed report's content."""
        if report.status != Report.Status.COMPLETED:
            return "-"
        html, csv = (reverse(f"admin:upstream_report_{form}", args=(report.pk,)) for form in ("html", "csv"))
        return format_html('<a href="{}">page</a> <a href="{}">CSV</a>', html, csv)

    def html(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A completed report as a page."""
        return report_content.html(self._completed(request, pk))

    def csv(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The figures of a completed report as a file."""
        return report_content.csv(self._completed(request, pk))

    def _completed(self, request: HttpRequest, pk: int) -> Report:
        report = Report.objects.filter(pk=pk, status=Report.Status.COMPLETED).first()
        if not self.has_view_permission(request, report):
            raise PermissionDenied
        if report is None:
            raise Http404
        return report
