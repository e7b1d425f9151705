from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("upstream", "0005_constraints")]
    operations = [
        migrations.AddField(
            model_name="job",
            name="traceparent",
            field=models.CharField(blank=True, db_default="", default="", max_length=55),
        ),
    ]
