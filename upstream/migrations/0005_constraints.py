import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("upstream", "0004_carry_over")]
    operations = [
        migrations.AlterField(
            model_name="alertdelivery",
            name="message_id",
            field=models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
        ),
        migrations.RemoveField(
            model_name="alertdelivery",
            name="attempted_at",
        ),
        migrations.RemoveField(
            model_name="alertdelivery",
            name="delivered",
        ),
        migrations.AddConstraint(
            model_name="driftevent",
            constraint=models.UniqueConstraint(
                fields=("job", "payer", "drift_type", "subject"), name="drift_once_per_pass"
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease__isnull", False), ("lease_until__isnull", False), ("status", "running")),
                    models.Q(models.Q(("status", "running"), _negated=True), ("lease", None), ("lease_until", None)),
                    _connector="OR",
                ),
                name="job_leased_while_running",
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("status__in", ("completed", "failed"))),
                    models.Q(("status__in", ("queued", "running")), ("finished_at", None)),
                    _connector="OR",
                ),
                name="job_finished_when_over",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.UniqueConstraint(
                fields=("alert", "channel_type", "target"), name="delivery_once_per_target"
            ),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("delivered_at__isnull", False), ("error_type", ""), ("status", "delivered")),
                    models.Q(("delivered_at", None), ("status", "failed"), models.Q(("error_type", ""), _negated=True)),
                    models.Q(("delivered_at", None), ("status", "pending")),
                    _connector="OR",
                ),
                name="delivered_or_error",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertchannel",
            constraint=models.UniqueConstraint(
                fields=("customer", "channel_type", "target"), name="channel_once_per_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="qualitysnapshot",
            constraint=models.UniqueConstraint(fields=("customer", "day", "metric_type"), name="snapshot_once_a_day"),
        ),
        migrations.AddConstraint(
            model_name="qualitysnapshot",
            constraint=models.CheckConstraint(
                condition=models.Q(("score__gte", 0), ("score__lte", 1)), name="snapshot_from_0_to_1"
            ),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(("end__gte", models.F("start"))), name="report_days_in_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), ("status", "pending")),
                    models.Q(("status__in", ("completed", "failed")), ("finished_at__isnull", False)),
                    _connector="OR",
                ),
                name="report_finished_when_over",
            ),
        ),
    ]
