"""Alerts, what became of them on each way, and the ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from upstream import signing
from upstream.admin.base import Form, Newest, ReadOnly, ReadOnlyRows, shown_once
from upstream.alerts import new_secret
from upstream.alerts.errors import BadTarget
from upstream.alerts.http import check_form, host_of
from upstream.models import Alert, AlertChannel, AlertDelivery, ChannelType


def target_of(way: AlertChannel | AlertDelivery) -> str:
    """To whom, without what may be secret in it: the path of a webhook's URL often is."""
    return way.target if way.channel_type == ChannelType.EMAIL else host_of(way.target)


class DeliveryRows(ReadOnlyRows):
    """What became of an alert on each way."""

    model = AlertDelivery
    fields = ("channel_type", "to", "status", "attempts", "error_type", "last_tried_at", "delivered_at")
    readonly_fields = ("to",)

    @admin.display(description="to")
    def to(self, delivery: AlertDelivery) -> str:
        return target_of(delivery)


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    """Alerts, which somebody can acknowledge."""

    list_display = ("title", "customer", "severity", "status", "created_at", "acknowledged_at")
    list_filter = ("severity", "status", ("acknowledged_at", admin.EmptyFieldListFilter), "customer")
    list_select_related = ("customer",)
    search_fields = ("title", "customer__code")
    date_hierarchy = "created_at"
    inlines = (DeliveryRows,)
    actions = ("acknowledge",)

    @admin.action(description="Acknowledge", permissions=["operate"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Tell that somebody has taken note; the first time counts."""
        count = queryset.filter(acknowledged_at=None).update(acknowledged_at=timezone.now())
        self.message_user(request, f"{count} acknowledged.")


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(ReadOnly):
    """Deliveries."""

    list_display = ("alert", "channel_type", "to", "status", "attempts", "error_type", "last_tried_at", "delivered_at")
    list_filter = ("status", "channel_type", "error_type")
    list_select_related = ("alert",)
    search_fields = ("alert__title", "=message_id")
    date_hierarchy = "created_at"
    exclude = kept_back = ("target",)
    readonly_fields = ("to",)

    @admin.display(description="to")
    def to(self, delivery: AlertDelivery) -> str:
        return target_of(delivery)


class ChannelForm(Form):
    """A channel whose secret can be given, and never be read."""

    secret = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Signs what a webhook is sent. Empty: the one there is stays; a new webhook is given one.",
    )

    class Meta:
        model = AlertChannel
        fields = ("customer", "channel_type", "target", "secret", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # So that it neither leaves with the page nor counts as changed where nothing was typed.
        self.initial.pop("secret", None)
        self.kept = self.instance.secret
        self.made = ""

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        secret = given.get("secret") or self.kept
        if not secret and given.get("channel_type") == ChannelType.WEBHOOK:
            secret = self.made = new_secret()
        channel_type, target = given.get("channel_type"), given.get("target")
        if channel_type and target:
            self._check("target", lambda: _check_target(channel_type, target))
        if channel_type == ChannelType.WEBHOOK:
            self._check("secret", lambda: signing.sign(secret, "", 0, b""))
        return {**given, "secret": secret}

    def _check(self, field: str, check: Callable[[], object]) -> None:
        try:
            check()
        except ValidationError as error:
            self.add_error(field, error)
        except (BadTarget, ValueError) as error:
            self.add_error(field, str(error))


def _check_target(channel_type: str, target: str) -> None:
    if channel_type == ChannelType.EMAIL:
        validate_email(target)
    else:
        check_form(target)


@admin.register(AlertChannel)
class AlertChannelAdmin(Newest):
    """The ways on which customers want their alerts."""

    form = ChannelForm
    list_display = ("customer", "channel_type", "to", "active", "created_at")
    list_filter = ("channel_type", "active", "customer")
    list_select_related = ("customer",)
    search_fields = ("customer__code",)
    date_hierarchy = "created_at"
    autocomplete_fields = ("customer",)
    readonly_fields = ("to",)
    kept_back = ("secret", "target")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is not None and not self.has_change_permission(request, obj):
            # Django shows the content of every field to those who may only look.
            return ("customer", "channel_type", "to", "active", "created_at")
        return ChannelForm.Meta.fields

    @admin.display(description="to")
    def to(self, channel: AlertChannel) -> str:
        return target_of(channel)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        obj.made_secret = form.made

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        if obj.made_secret:
            return shown_once(self, request, obj, obj.made_secret)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if obj.made_secret:
            return shown_once(self, request, obj, obj.made_secret)
        return super().response_change(request, obj)
