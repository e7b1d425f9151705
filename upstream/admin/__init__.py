"""The operators' pages: everything can be looked at; what the service itself writes is not changed by hand."""

from django.contrib import admin

from upstream.admin import alerts, claims, customers, drift, jobs, reports

__all__ = ["alerts", "claims", "customers", "drift", "jobs", "reports"]

admin.site.site_header = admin.site.site_title = "Upstream"
admin.site.index_title = "Operations"
