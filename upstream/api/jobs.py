"""Background work, as those see it who asked for it."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin

from upstream.api.base import CustomersOwn, Filters
from upstream.models import Job


class JobSerializer(serializers.ModelSerializer[Job]):
    """A piece of work: `queued` (again, after a failed attempt), `running`, and in the end `completed` or `failed`.

    `result` is what a completed one came to, `error_type` why its last attempt failed.
    """

    result = serializers.DictField(read_only=True)

    class Meta:
        model = Job
        fields = (
            *("id", "name", "job_type", "status", "result", "error_type", "attempts", "max_attempts"),
            *("created_at", "due_at", "started_at", "finished_at"),
        )


class JobFilters(Filters):
    """Which jobs."""

    status = serializers.ChoiceField(choices=Job.Status.choices, required=False)
    job_type = serializers.ChoiceField(choices=Job.JobType.choices, required=False)


@extend_schema_view(list=extend_schema(parameters=[JobFilters]))
class JobView(ListModelMixin, RetrieveModelMixin, CustomersOwn):
    """Background work: what was asked for, and what the schedule does for the customer."""

    queryset = Job.objects.all()
    serializer_class = JobSerializer
    filters = JobFilters
