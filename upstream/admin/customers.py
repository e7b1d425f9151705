"""Customers, payers, and the programs that are let in."""

from __future__ import annotations

import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from upstream import detection, reports
from upstream.admin.base import Newest, Pages, shown_once
from upstream.models import ApiToken, Customer, Payer

REPORT_DAYS = 7


class KeptForClaims(Pages):
    """Rows that have claims are not deleted; the pages that ask whether to would read all of those."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.claims.exists())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


@admin.register(Customer)
class CustomerAdmin(KeptForClaims, Newest):
    """Customers, and what can be done for them."""

    list_display = ("code", "name", "alert_email", "created_at")
    search_fields = ("code", "name")
    date_hierarchy = "created_at"
    ordering = ("code",)
    actions = ("detect", "request_reports")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Files and metrics go by it.
        return ("code",) if obj else ()

    @admin.action(description="Run detection", permissions=["operate"])
    def detect(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        """Look for drift up to the last answer on file."""
        for customer in queryset:
            detection.request(customer)
        self.message_user(request, f"Detection is queued for {len(queryset)} of them.")

    @admin.action(description=f"Request the reports of the last {REPORT_DAYS} days", permissions=["operate"])
    def request_reports(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        """Every report over the days up to yesterday; those that were asked for already are not written twice."""
        end = timezone.localdate() - datetime.timedelta(days=1)
        start = end - datetime.timedelta(days=REPORT_DAYS - 1)
        new = 0
        for customer in queryset:
            new += reports.request_all(customer, start, end)
        self.message_user(request, f"Reports from {start} to {end}: {new} new ones are queued.")


@admin.register(Payer)
class PayerAdmin(KeptForClaims):
    """Payers."""

    list_display = ("code", "name")
    search_fields = ("code", "name")
    ordering = ("code",)


@admin.register(ApiToken)
class ApiTokenAdmin(Newest):
    """Tokens: issued, which shows the secret once, and revoked; never changed."""

    list_display = ("name", "customer", "created_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("customer",)
    search_fields = ("name", "customer__code")
    date_hierarchy = "created_at"
    autocomplete_fields = ("customer",)
    actions = ("revoke",)
    fields = ("customer", "name")
    kept_back = ("digest",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, "created_at", "revoked_at") if obj else self.fields

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm[Any], change: bool) -> None:
        issued, secret = ApiToken.issue(obj.customer, obj.name)
        obj.pk, obj.issued_secret = issued.pk, secret

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return shown_once(self, request, obj.name, obj.issued_secret)

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Refuse the tokens from now on."""
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"{count} revoked.")
