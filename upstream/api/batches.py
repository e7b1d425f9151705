"""Files of claims: sent here, ingested by a job, looked up afterwards."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from upstream import ingestion
from upstream.api.base import CustomersOwn, Filters
from upstream.api.errors import ErrorSerializer, Refused
from upstream.api.jobs import JobSerializer
from upstream.api.throttling import Uploads
from upstream.models import ClaimBatch, Job, RejectedRow
from upstream.text import shorten
from upstream.uploads import UploadRefused, received

FIRST_REJECTED = 20
"""How many of its rejected rows a batch is shown with."""


class BatchSerializer(serializers.ModelSerializer[ClaimBatch]):
    """A file of claims: `processing`, then a `success` (every row was stored), `partial` or `failed` (none was).

    `rows` are those read so far, `error` why the file as a whole could not be used.
    """

    rows = serializers.SerializerMethodField(help_text="Rows read so far.")

    class Meta:
        model = ClaimBatch
        fields: tuple[str, ...] = (
            *("id", "filename", "status", "rows", "accepted_count", "rejected_count", "error"),
            *("received_at", "finished_at"),
        )

    def get_rows(self, batch: ClaimBatch) -> int:
        return ingestion.progress(batch)


class ReasonSerializer(serializers.Serializer[Any]):
    """One fault of a row: where, which check found it, what was given and what would be valid."""

    column = serializers.CharField()
    check = serializers.CharField()
    given = serializers.CharField()
    valid = serializers.CharField()


class RejectedRowSerializer(serializers.ModelSerializer[RejectedRow]):
    """A row that was refused, with every reason."""

    reasons = ReasonSerializer(many=True, read_only=True)

    class Meta:
        model = RejectedRow
        fields = ("line_number", "reasons")


class BatchDetailSerializer(BatchSerializer):
    """A file of claims with its scores (0 to 1, by name) and its first rejected rows."""

    scores = serializers.SerializerMethodField()
    first_rejected = serializers.SerializerMethodField()

    class Meta(BatchSerializer.Meta):
        fields = (*BatchSerializer.Meta.fields, "scores", "first_rejected")

    def get_scores(self, batch: ClaimBatch) -> dict[str, float]:
        return {score.metric_type: round(score.score, 4) for score in batch.scores.all()}

    @extend_schema_field(RejectedRowSerializer(many=True))
    def get_first_rejected(self, batch: ClaimBatch) -> Any:
        rows = batch.rejected_rows.order_by("line_number")[:FIRST_REJECTED]
        return RejectedRowSerializer(rows, many=True).data


class UploadSerializer(serializers.Serializer[Any]):
    """A file of claims: CSV in UTF-8 with a header; each row names the customer, too."""

    file = serializers.FileField()


class ReceivedSerializer(serializers.Serializer[Any]):
    """A file that was received, and the job that ingests it."""

    batch = BatchSerializer()
    job = JobSerializer()


class BatchFilters(Filters):
    """Which batches."""

    status = serializers.ChoiceField(choices=ClaimBatch.Status.choices, required=False)


@extend_schema_view(list=extend_schema(parameters=[BatchFilters]))
class BatchView(ListModelMixin, RetrieveModelMixin, CustomersOwn):
    """Files of claims, and what became of them."""

    queryset = ClaimBatch.objects.all()
    filters = BatchFilters
    parser_classes = (MultiPartParser,)

    def get_serializer_class(self) -> type[BatchSerializer]:
        return BatchDetailSerializer if self.action == "retrieve" else BatchSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        return [*super().get_throttles(), *([Uploads()] if self.action == "create" else [])]

    @extend_schema(
        request={"multipart/form-data": UploadSerializer},
        responses={202: ReceivedSerializer, 413: ErrorSerializer},
    )
    def create(self, request: Request) -> Response:
        """Send a file of claims; a job ingests it, as a whole or not at all."""
        try:
            # Not by way of `request.data`, which would take in what is too large, or was cut off.
            with received(request._request, settings.UPSTREAM_MAX_UPLOAD_BYTES) as (_, files):
                batch = self._receive(files.get("file"))
        except UploadRefused as error:
            raise Refused(error.status, str(error)) from error
        job = Job.objects.filter(customer=self.customer, name=ingestion.KIND, arguments__batch=batch.pk).latest("pk")
        answer = ReceivedSerializer({"batch": batch, "job": job})
        return Response(answer.data, status=status.HTTP_202_ACCEPTED)

    def _receive(self, upload: UploadedFile[Any] | None) -> ClaimBatch:
        if upload is None or upload.file is None:
            raise ValidationError({"file": "is missing: send a CSV file as multipart/form-data"})
        if not upload.size:
            raise ValidationError({"file": f"{shorten(upload.name or '')!r} is empty"})
        return ingestion.receive(self.customer, upload.file, upload.name or "claims.csv")
