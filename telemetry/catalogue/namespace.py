"""django-prometheus's `PROMETHEUS_METRIC_NAMESPACE`: a word before the names of the `django_*` families."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from telemetry.spec import Family, Projection

_PREFIX = "django_"


def in_namespace(projections: Iterable[Projection], namespace: str) -> tuple[Projection, ...]:
    """The projections, those of `django_*` families as `namespace_django_*`; empty changes nothing.

    Raises:
        SpecError: with this namespace a name is none.
    """
    if not namespace:
        return tuple(projections)
    return tuple(replace(each, family=_renamed(each.family, namespace)) for each in projections)


def _renamed(family: Family, namespace: str) -> Family:
    return replace(family, name=f"{namespace}_{family.name}") if family.name.startswith(_PREFIX) else family
