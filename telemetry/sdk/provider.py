"""The SDK's `MeterProvider`, aggregating in the shared store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.metrics import ExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource

from telemetry.errors import ConfigurationError
from telemetry.sdk._private import adopt_consumer, instruments_of
from telemetry.sdk.consumer import Extra, Limits, StoreConsumer
from telemetry.spec import Family
from telemetry.store.base import Store


class StoreMeterProvider(MeterProvider):
    """A stock meter provider whose measurements go to `store` and whose readers see all processes.

    Takes what `MeterProvider` takes, and:

    Args:
        store: where measurements are recorded.
        limits: how many series a stream may have in one process.
        scopes: "service" or "process" by the name of an observable instrument (see `Scope`); by default
            gauges are the service's, counters and up-down counters the process's.
        extra: further families of a reading that readers shall see, under their final Prometheus names.
        declared: families by the name of their instrument; may be filled later.

    Raises:
        ConfigurationError: a scope is not valid.
    """

    def __init__(
        self,
        metric_readers: Sequence[MetricReader] = (),
        resource: Resource | None = None,
        exemplar_filter: ExemplarFilter | None = None,
        shutdown_on_exit: bool = True,
        views: Sequence[View] = (),
        *,
        store: Store,
        limits: Limits | None = None,
        scopes: Mapping[str, str] | None = None,
        extra: Extra | None = None,
        declared: Mapping[str, Family] | None = None,
        **more: Any,
    ) -> None:
        self._options: dict[str, Any] = {
            "store": store,
            "limits": limits,
            "scopes": scopes,
            "extra": extra,
            "declared": declared,
        }
        super().__init__(metric_readers, resource, exemplar_filter, shutdown_on_exit, views, **more)

    @property  # type: ignore[override]
    def _measurement_consumer(self) -> StoreConsumer:
        return self._consumer

    @_measurement_consumer.setter
    def _measurement_consumer(self, stock: object) -> None:
        # The SDK's constructor assigns its own; ours has to be there before it hands it to the readers.
        self._consumer = StoreConsumer(
            self._sdk_config, self._metric_readers, instruments=lambda: instruments_of(self), **self._options
        )

    def publish(self) -> None:
        """Store what the observables of process scope tell: before every read, and every 15 seconds."""
        self._consumer.publish()


def adopt(
    provider: MeterProvider,
    store: Store,
    *,
    limits: Limits | None = None,
    scopes: Mapping[str, str] | None = None,
    extra: Extra | None = None,
    declared: Mapping[str, Family] | None = None,
) -> StoreConsumer:
    """Make a stock provider record into `store` from now on; its meters, instruments and readers stay.

    For a provider that was set before this package could set one (`opentelemetry-instrument`). What it
    has recorded so far stays behind. Adopting it again changes nothing.

    Raises:
        ConfigurationError: `provider` is not the SDK's (a proxy or another implementation).
    """
    if not isinstance(provider, MeterProvider):
        raise ConfigurationError(
            f"meter provider {provider!r} is a {type(provider).__name__}; only the SDK's MeterProvider can be adopted"
        )
    current = provider._measurement_consumer
    if isinstance(current, StoreConsumer):
        return current
    consumer = StoreConsumer(
        provider._sdk_config,
        (),
        store,
        limits=limits,
        scopes=scopes,
        extra=extra,
        declared=declared,
        instruments=lambda: instruments_of(provider),
    )
    adopt_consumer(provider, consumer)
    return consumer


def consumer_of(provider: object) -> StoreConsumer:
    """The consumer of a `StoreMeterProvider` or of an adopted provider.

    Raises:
        ConfigurationError: `provider` is neither.
    """
    consumer = getattr(provider, "_measurement_consumer", None)
    if not isinstance(consumer, StoreConsumer):
        raise ConfigurationError(f"meter provider {provider!r} does not record into a store; make or adopt one")
    return consumer


def publish(provider: object) -> None:
    """Store what the observables of process scope tell: before every read, and every 15 seconds.

    Raises:
        ConfigurationError: `provider` does not record into a store.
    """
    consumer_of(provider).publish()
