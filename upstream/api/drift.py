"""Detection: the passes that are asked for here, and the drift that all passes found."""

from __future__ import annotations

import datetime
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from upstream import detection
from upstream.api.base import CustomersOwn, Filters
from upstream.api.jobs import JobSerializer
from upstream.api.throttling import Jobs
from upstream.models import DriftEvent, Job


class EventSerializer(serializers.ModelSerializer[DriftEvent]):
    """A payer that behaves otherwise than before: what about it (`subject`, where not the payer as a whole), and how.

    `severity` is from 0 to 1. `suppressed` says why no alert was raised on an event that deserved one.
    """

    payer = serializers.CharField(source="payer.code", read_only=True, help_text="The code of the payer.")
    alert = serializers.PrimaryKeyRelatedField[Any](
        read_only=True, allow_null=True, help_text="The alert raised on it."
    )

    class Meta:
        model = DriftEvent
        fields = (
            *("id", "job", "payer", "product", "drift_type", "subject", "severity", "baseline", "current"),
            *("baseline_size", "current_size", "effect", "p_value", "window_start", "window_end"),
            *("suppressed", "alert", "detected_at"),
        )


class EventFilters(Filters):
    """Which events."""

    drift_type = serializers.ChoiceField(choices=DriftEvent.DriftType.choices, required=False)
    payer = serializers.SlugField(source="payer__code", required=False, help_text="The code of a payer.")
    min_severity = serializers.FloatField(
        source="severity__gte", min_value=0, max_value=1, required=False, help_text="The least severity, 0 to 1."
    )


@extend_schema_view(list=extend_schema(parameters=[EventFilters]))
class EventView(ListModelMixin, RetrieveModelMixin, CustomersOwn):
    """Drift that was detected."""

    queryset = DriftEvent.objects.select_related("payer", "alert")
    serializer_class = EventSerializer
    filters = EventFilters


class LastDay(serializers.DateField):
    """A day up to which claims can be compared."""

    def to_internal_value(self, value: Any) -> datetime.date:
        try:
            return detection.last_day(str(value))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class DetectionSerializer(serializers.Serializer[Any]):
    """What a detection pass looks at."""

    end = LastDay(
        required=False, allow_null=True, help_text="The last day compared; by default that of the last answer on file."
    )


class DetectionView(CustomersOwn):
    """Detection passes."""

    queryset = Job.objects.filter(name=detection.KIND)
    serializer_class = DetectionSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        return [*super().get_throttles(), *([Jobs()] if self.action == "create" else [])]

    @extend_schema(responses={202: JobSerializer})
    def create(self, request: Request) -> Response:
        """Look for drift; a job does, whose result has the days compared and how much was found."""
        wanted = DetectionSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        job = detection.request(self.customer, wanted.validated_data.get("end"))
        return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)
