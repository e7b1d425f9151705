# mypy: disable-error-code="misc, var-annotated, no-any-return"
"""What the shop sells, to whom, and who looked."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from telemetry.tests.dropin.shop.stack import counted


class Product(*counted("product"), models.Model):
    name = models.CharField(max_length=40, unique=True)
    price = models.IntegerField(default=1)

    def __str__(self) -> str:
        return self.name


class Order(*counted("order"), models.Model):
    customer = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.customer


class Line(models.Model):
    """Nobody counts these; they go with their order."""

    objects: ClassVar[models.Manager[Line]] = models.Manager()

    order = models.ForeignKey(Order, models.CASCADE)
    product = models.ForeignKey(Product, models.CASCADE)

    def __str__(self) -> str:
        return f"{self.order}: {self.product}"


class Audit(*counted("audit"), models.Model):
    text = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.text
