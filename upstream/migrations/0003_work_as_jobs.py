import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("upstream", "0002_rename")]
    operations = [
        migrations.CreateModel(
            name="AlertChannel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "channel_type",
                    models.CharField(
                        choices=[("email", "Email"), ("slack", "Slack"), ("webhook", "Webhook")], max_length=16
                    ),
                ),
                ("target", models.CharField(max_length=500)),
                ("secret", models.CharField(blank=True, max_length=200)),
                ("active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="QualitySnapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                (
                    "metric_type",
                    models.CharField(
                        choices=[
                            ("completeness", "Completeness"),
                            ("accuracy", "Accuracy"),
                            ("timeliness", "Timeliness"),
                            ("consistency", "Consistency"),
                        ],
                        max_length=16,
                    ),
                ),
                ("score", models.FloatField()),
            ],
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "report_type",
                    models.CharField(
                        choices=[
                            ("drift_summary", "Drift Summary"),
                            ("payment_analysis", "Payment Analysis"),
                            ("denial_analysis", "Denial Analysis"),
                            ("quality_dashboard", "Quality Dashboard"),
                        ],
                        max_length=32,
                    ),
                ),
                ("start", models.DateField()),
                ("end", models.DateField()),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("completed", "Completed"), ("failed", "Failed")],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("html", models.TextField(blank=True)),
                ("csv", models.TextField(blank=True)),
                ("error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AlterModelOptions(
            name="alertdelivery",
            options={"verbose_name_plural": "alert deliveries"},
        ),
        migrations.AlterModelOptions(
            name="claimbatch",
            options={"verbose_name_plural": "claim batches"},
        ),
        migrations.RemoveConstraint(
            model_name="alertdelivery",
            name="delivered_or_error",
        ),
        migrations.RemoveConstraint(
            model_name="driftevent",
            name="drift_once_per_pass",
        ),
        migrations.RemoveConstraint(
            model_name="job",
            name="job_running_or_finished",
        ),
        migrations.AddField(
            model_name="alert",
            name="acknowledged_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="attempts",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="created_at",
            field=models.DateTimeField(auto_now_add=True, default=django.utils.timezone.now),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="delivered_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="last_tried_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="message_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="status",
            field=models.CharField(
                choices=[("pending", "Pending"), ("delivered", "Delivered"), ("failed", "Failed")],
                default="pending",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="target",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="claim",
            name="adjudicated_code",
            field=models.CharField(blank=True, max_length=5),
        ),
        migrations.AddField(
            model_name="claimbatch",
            name="file",
            field=models.FileField(blank=True, max_length=255, upload_to="claims/"),
        ),
        migrations.AddField(
            model_name="driftevent",
            name="subject",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="job",
            name="arguments",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="job",
            name="attempts",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="job",
            name="created_at",
            field=models.DateTimeField(auto_now_add=True, default=django.utils.timezone.now),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="job",
            name="due_at",
            field=models.DateTimeField(default=django.utils.timezone.now),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="job",
            name="key",
            field=models.CharField(blank=True, max_length=200, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="job",
            name="lease",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="job",
            name="lease_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="job",
            name="max_attempts",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="job",
            name="name",
            field=models.CharField(default="unknown", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="job",
            name="result",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="job",
            name="sent_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="alertdelivery",
            name="channel_type",
            field=models.CharField(
                choices=[("email", "Email"), ("slack", "Slack"), ("webhook", "Webhook")], max_length=16
            ),
        ),
        migrations.AlterField(
            model_name="claim",
            name="paid_date",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="claimbatch",
            name="finished_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="driftevent",
            name="drift_type",
            field=models.CharField(
                choices=[
                    ("payment_delay", "Payment Delay"),
                    ("denial_rate", "Denial Rate"),
                    ("adjustment_pattern", "Adjustment Pattern"),
                    ("code_mapping_change", "Code Mapping Change"),
                    ("ar_aging", "Ar Aging"),
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="driftevent",
            name="suppressed",
            field=models.CharField(
                blank=True,
                choices=[("duplicate", "Duplicate"), ("cooldown", "Cooldown"), ("noise_pattern", "Noise Pattern")],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="finished_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="job",
            name="started_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="job",
            name="status",
            field=models.CharField(
                choices=[
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("completed", "Completed"),
                    ("failed", "Failed"),
                ],
                default="queued",
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["status", "due_at"], name="job_status_due"),
        ),
        migrations.AddField(
            model_name="alertchannel",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="channels",
                to="upstream.customer",
            ),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="channel",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="deliveries",
                to="upstream.alertchannel",
            ),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="customer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="tokens", to="upstream.customer"
            ),
        ),
        migrations.AddField(
            model_name="qualitysnapshot",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="quality",
                to="upstream.customer",
            ),
        ),
        migrations.AddField(
            model_name="report",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="reports",
                to="upstream.customer",
            ),
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(fields=["customer", "created_at"], name="report_customer_created"),
        ),
    ]
