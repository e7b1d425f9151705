"""Make the shop's databases in `DROPIN_DIRECTORY`: migrated but for one migration, with two products and a user."""

import django

django.setup(set_prefix=False)

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

from telemetry.tests.dropin.shop.models import Product  # noqa: E402

for alias in ("default", "archive"):
    call_command("migrate", database=alias, verbosity=0)
    call_command("migrate", "shop", "0001", database=alias, verbosity=0)
Product.objects.create(name="first")
Product.objects.create(name="another")
User.objects.create_superuser("admin", password="for tests only")
