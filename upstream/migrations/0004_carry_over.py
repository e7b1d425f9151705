import uuid
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

NAMES = {
    "data_sync": "ingest",
    "drift_detection": "detect",
    "alert_processing": "deliver",
    "report_generation": "report",
}


# `apps` is of any type: as Apps, mypy would take the models of then for those of today.
def carry_over(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What ran when the service was stopped is over; what was delivered has a message of its own."""
    Job = apps.get_model("upstream", "Job")
    for job_type, name in NAMES.items():
        Job.objects.filter(job_type=job_type).update(name=name)
    Job.objects.filter(status="running").update(
        status="failed", error_type="WorkerLost", finished_at=timezone.now(), attempts=1
    )
    Job.objects.exclude(status="queued").update(attempts=1)
    ClaimBatch = apps.get_model("upstream", "ClaimBatch")
    ClaimBatch.objects.filter(status="processing").update(
        status="failed", error="WorkerLost", finished_at=timezone.now()
    )
    AlertDelivery = apps.get_model("upstream", "AlertDelivery")
    for delivery in AlertDelivery.objects.all().iterator():
        delivery.message_id = uuid.uuid4()
        delivery.status = "delivered" if delivery.delivered else "failed"
        delivery.attempts = 1
        delivery.created_at = delivery.last_tried_at = delivery.attempted_at
        delivery.delivered_at = delivery.attempted_at if delivery.delivered else None
        delivery.save()


class Migration(migrations.Migration):
    dependencies = [("upstream", "0003_work_as_jobs")]
    operations = [migrations.RunPython(carry_over, migrations.RunPython.noop)]
