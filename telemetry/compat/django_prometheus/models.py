"""Rows written by models: the mixin that names a model, and the counters, as in django-prometheus 2.5.0."""

from __future__ import annotations

from telemetry.catalogue.models import model_catalogue
from telemetry.compat.django_prometheus._recorded import counter
from telemetry.instrumentation.models import MIXIN_NAME, declare

model_inserts, model_updates, model_deletes = (
    counter(projection.family) for projection in model_catalogue().projections
)


def ExportModelOperationsMixin(model_name: str) -> type:
    """A base class for a model whose rows are counted under this name, from 0.

    In `class Order(ExportModelOperationsMixin("order"), models.Model)`; it adds no field and no method.
    Migrations write the call into `bases`. What is counted: `telemetry.instrumentation.models`.
    """
    name = str(model_name)
    declare(name)
    mixin = type("Mixin", (), {MIXIN_NAME: name, "__module__": __name__})
    mixin.__qualname__ = f"ExportModelOperationsMixin({name!r})"
    return mixin
