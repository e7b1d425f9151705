"""Alerts: read, and acknowledged by those whom they are for."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from upstream.api.base import CustomersOwn, Filters
from upstream.models import Alert, AlertDelivery


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """A warning about one drift event; `acknowledged_at` is null until somebody has taken note of it."""

    class Meta:
        model = Alert
        fields: tuple[str, ...] = (
            "id",
            "event",
            "severity",
            "status",
            "title",
            "body",
            "created_at",
            "acknowledged_at",
        )


class DeliverySerializer(serializers.ModelSerializer[AlertDelivery]):
    """An alert on one way to the customer; the same `message_id` however often it was tried.

    To whom is not told: an address of a webhook is often its only secret.
    """

    class Meta:
        model = AlertDelivery
        fields = (
            *("message_id", "channel", "channel_type", "status", "attempts", "error_type"),
            *("last_tried_at", "delivered_at"),
        )


class AlertDetailSerializer(AlertSerializer):
    """A warning with what became of it on each way."""

    deliveries = DeliverySerializer(many=True, read_only=True)

    class Meta(AlertSerializer.Meta):
        fields = (*AlertSerializer.Meta.fields, "deliveries")


class AlertFilters(Filters):
    """Which alerts."""

    severity = serializers.ChoiceField(choices=Alert.Severity.choices, required=False)
    status = serializers.ChoiceField(choices=Alert.Status.choices, required=False)


@extend_schema_view(list=extend_schema(parameters=[AlertFilters]))
class AlertView(ListModelMixin, RetrieveModelMixin, CustomersOwn):
    """Alerts that were raised."""

    queryset = Alert.objects.all()
    filters = AlertFilters

    def get_serializer_class(self) -> type[AlertSerializer]:
        return AlertSerializer if self.action == "list" else AlertDetailSerializer

    @extend_schema(request=None, responses={200: AlertDetailSerializer})
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, **kwargs: Any) -> Response:
        """Tell that somebody has taken note; the first time counts."""
        alert = self.get_object()
        self.get_queryset().filter(pk=alert.pk, acknowledged_at=None).update(acknowledged_at=timezone.now())
        alert.refresh_from_db()
        return Response(AlertDetailSerializer(alert).data)
