"""Sends a report's pages so that a browser trusts nothing in them: they quote what payers and files said."""

from __future__ import annotations

from django.http import HttpResponse

from upstream.models import Report

POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""No script, no form, no origin of its own, nothing loaded from anywhere."""


def html(report: Report) -> HttpResponse:
    """A completed report as a page."""
    return _private(HttpResponse(report.html, content_type="text/html; charset=utf-8"))


def csv(report: Report) -> HttpResponse:
    """A completed report as a file to be saved."""
    answer = HttpResponse(report.csv, content_type="text/csv; charset=utf-8")
    name = f"{report.report_type}_{report.start}_{report.end}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return _private(answer)


def _private(answer: HttpResponse) -> HttpResponse:
    answer["Content-Security-Policy"] = POLICY
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
