"""Our instrumentors in the places of the stock ones, whether somebody switches those on before us or after.

`opentelemetry-instrument` does it before Django is there, a project's own `DjangoInstrumentor().instrument(…)` may
come at any time. What stock was given then is taken over, so that hooks and options go on working.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from opentelemetry.instrumentation import instrumentor as _instrumentor
from opentelemetry.trace import ProxyTracer, TracerProvider, get_tracer_provider

_BaseInstrumentor: Any = _instrumentor.BaseInstrumentor  # type: ignore[attr-defined]  # the package has no types

_DRIVER_OPTIONS = (
    "tracer_provider",
    "enable_commenter",
    "commenter_options",
    "enable_attribute_commenter",
    "capture_parameters",
)


class InPlace(_BaseInstrumentor):  # type: ignore[misc]
    """Before the stock instrumentor among a class's bases; `stand_in` has the stock class give the one of ours.

    Where ours is in, `instrument()` changes what it is given and leaves the rest as it is.
    """

    _instance: Any = None  # inherited, it would be the stock one
    _given: Mapping[str, Any] = {}

    def instrument(self, **given: Any) -> None:
        """Put ours in, with the words of the stock one."""
        given = {**self._given, **given}
        if self.is_instrumented_by_opentelemetry:
            if given == self._given:
                return
            self.uninstrument()
        self._given = given
        super().instrument(**given)

    def prepare(self, **given: Any) -> None:
        """What `instrument()` is to be given by whoever calls it first."""
        if not self.is_instrumented_by_opentelemetry:
            self._given = given


def stand_in(stock: Any, ours: InPlace) -> None:
    """Whoever calls the class `stock` from now on is given `ours`."""
    stock._instance = ours


def step_aside(ours: InPlace) -> None:
    """Have the stock class make one of its own again."""
    for kind in type(ours).__mro__[1:]:
        if vars(kind).get("_instance") is ours:
            kind._instance = None  # type: ignore[attr-defined]


def driver_options(connect: object) -> dict[str, Any]:
    """What a stock instrumentor of a database driver was given, by its words; it is kept by its `connect` alone."""
    wrapper = getattr(connect, "_self_wrapper", None)
    found = inspect.getclosurevars(wrapper).nonlocals if inspect.isfunction(wrapper) else {}
    return {name: found[name] for name in _DRIVER_OPTIONS if found.get(name)}


def goes_elsewhere(tracer: object, provider: TracerProvider | None) -> bool:
    """Whether a stock tracer is of another provider than this one, the global one if it is None."""
    if isinstance(tracer, ProxyTracer):
        return False
    mine = (provider or get_tracer_provider()).get_tracer(__name__)
    return getattr(tracer, "span_processor", None) is not getattr(mine, "span_processor", None)
