# mypy: disable-error-code="misc, var-annotated, no-any-return, import-untyped"
"""Models of every sort. `TEST_STACK` says whose mixin names them (see the test project's settings)."""

from __future__ import annotations

import os
import uuid
from typing import ClassVar

from django.db import models

if os.environ.get("TEST_STACK") == "django_prometheus":
    from django_prometheus.models import ExportModelOperationsMixin
else:
    from telemetry.compat.django_prometheus.models import ExportModelOperationsMixin


class Customer(ExportModelOperationsMixin("customer"), models.Model):
    name = models.CharField(max_length=40, unique=True)
    city = models.CharField(max_length=40, default="")

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.name


class Vip(Customer):
    class Meta:
        app_label = "shop"
        proxy = True


class Order(ExportModelOperationsMixin("order"), models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    total = models.IntegerField(default=0)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return str(self.total)


class Item(models.Model):
    """Without a mixin."""

    objects: ClassVar[models.Manager[Item]] = models.Manager()

    order = models.ForeignKey(Order, models.CASCADE, related_name="items")
    title = models.CharField(max_length=40)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.title


class Remark(ExportModelOperationsMixin("remark"), models.Model):
    """Outlives its customer."""

    customer = models.ForeignKey(Customer, models.SET_NULL, null=True)
    text = models.CharField(max_length=40)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.text


class Dated(ExportModelOperationsMixin("dated"), models.Model):
    """The mixin on an abstract base counts all its models together."""

    day = models.DateField(auto_now=True)

    class Meta:
        app_label = "shop"
        abstract = True


class Invoice(ExportModelOperationsMixin("invoice"), Dated):
    """Its primary key has a default."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    paid = models.BooleanField(default=False)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return str(self.id)


class Receipt(Dated):
    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return str(self.day)


class Place(ExportModelOperationsMixin("place"), models.Model):
    name = models.CharField(max_length=40)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.name


class Warehouse(ExportModelOperationsMixin("warehouse"), Place):
    """A row of its own and one of its parent's."""

    size = models.IntegerField(default=0)

    class Meta:
        app_label = "shop"


class Kiosk(Place):
    """A child without a name of its own."""

    window = models.IntegerField(default=0)

    class Meta:
        app_label = "shop"
