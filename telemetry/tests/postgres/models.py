"""What the tests store."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Item(models.Model):
    objects: ClassVar[models.Manager[Item]] = models.Manager()

    name: models.Field[str, str] = models.TextField(unique=True)
    rank: models.Field[int, int] = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.name
