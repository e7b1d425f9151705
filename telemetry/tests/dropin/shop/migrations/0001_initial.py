# mypy: ignore-errors
import django.db.models.deletion
from django.db import migrations, models

from telemetry.tests.dropin.shop.stack import counted


def _id():
    return ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Product",
            fields=[
                _id(),
                ("name", models.CharField(max_length=40, unique=True)),
                ("price", models.IntegerField(default=1)),
            ],
            bases=(*counted("product"), models.Model),
        ),
        migrations.CreateModel(
            name="Order",
            fields=[_id(), ("customer", models.CharField(max_length=40))],
            bases=(*counted("order"), models.Model),
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                _id(),
                ("order", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="shop.order")),
                ("product", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="shop.product")),
            ],
        ),
        migrations.CreateModel(
            name="Audit",
            fields=[_id(), ("text", models.CharField(max_length=40))],
            bases=(*counted("audit"), models.Model),
        ),
    ]
