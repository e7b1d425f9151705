"""Rows written by models: the mixin that names a model, with the call of django-prometheus 2.5.0."""

from __future__ import annotations

from telemetry.instrumentation.models import MIXIN_NAME, declare


def ExportModelOperationsMixin(model_name: str) -> type:
    """A base class for a model whose rows are counted under this name, from 0.

    In `class Order(ExportModelOperationsMixin("order"), models.Model)`; it adds no field and no method.
    Migrations write the call into `bases`.
    """
    name = str(model_name)
    declare(name)
    mixin = type("Mixin", (), {MIXIN_NAME: name, "__module__": __name__})
    mixin.__qualname__ = f"ExportModelOperationsMixin({name!r})"
    return mixin
