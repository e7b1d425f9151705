"""What several reports ask of the database."""

from __future__ import annotations

import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, Func, IntegerField, Q, QuerySet
from django.db.models.functions import Coalesce
from django.db.models.sql.compiler import SQLCompiler

from upstream.models import Claim, Customer


class Days(Func):
    """The whole days from the second date to the first, computed where the dates are."""

    arity = 2
    arg_joiner = " - "
    template = "(%(expressions)s)"
    output_field = IntegerField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        """SQLite has no dates, but can count the days of a text that is one."""
        later, earlier = (compiler.compile(part) for part in self.get_source_expressions())
        sql = f"CAST(julianday({later[0]}) - julianday({earlier[0]}) AS INTEGER)"
        return sql, (*later[1], *earlier[1])


def answered(customer: Customer, start: datetime.date, end: datetime.date) -> QuerySet[Claim]:
    """A customer's claims that were answered from `start` to `end`; `day` is the day of the answer.

    A denial whose day the file does not tell counts on the day of its submission, as in detection.
    """
    days = (start, end)
    return (
        Claim.objects.filter(customer=customer)
        .filter(Q(paid_date__range=days) | Q(paid_date=None, denied=True, submitted_date__range=days))
        .annotate(day=Coalesce("paid_date", "submitted_date", output_field=DateField()))
    )
