"""What the tests store."""

from __future__ import annotations

from django.db import models


class Item(models.Model):
    name: models.Field[str, str] = models.TextField(unique=True)
    rank: models.Field[int, int] = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.name
