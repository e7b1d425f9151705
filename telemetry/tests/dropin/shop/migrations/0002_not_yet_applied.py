# mypy: ignore-errors
from django.db import migrations


class Migration(migrations.Migration):
    """Left out when the databases are prepared."""

    dependencies = [("shop", "0001_initial")]
    operations = []
