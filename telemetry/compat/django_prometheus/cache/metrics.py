"""The four families of caches, for a backend of the project's own that counts by itself.

What such a backend counts while it gets is not counted again under the kind of its class.
"""

from __future__ import annotations

from typing import Any

from telemetry.catalogue.by_hand import by_hand
from telemetry.catalogue.cache import cache_catalogue
from telemetry.compat.django_prometheus._recorded import Counter
from telemetry.compat.django_prometheus.conf import NAMESPACE
from telemetry.instrumentation.cache import counted_by_hand

_FAMILIES = {projection.family.name: projection.family for projection in cache_catalogue().projections}


class _Counter(Counter):
    def inc(self, amount: float = 1, exemplar: Any = None) -> None:
        super().inc(amount, exemplar)
        counted_by_hand()


def _counter(name: str) -> Counter:
    family = _FAMILIES[name]
    return _Counter(family.name, family.help, family.labels, NAMESPACE, layout=by_hand(family))


django_cache_get_total = _counter("django_cache_get_total")
django_cache_hits_total = _counter("django_cache_get_hits_total")
django_cache_misses_total = _counter("django_cache_get_misses_total")
django_cache_get_fail_total = _counter("django_cache_get_fail_total")
