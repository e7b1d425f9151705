"""A provider that somebody else has set goes on with its meters, instruments and readers, on the store."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import Meter, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry.errors import ConfigurationError
from telemetry.sdk.provider import StoreMeterProvider, adopt, consumer_of
from telemetry.store.memory import MemoryStore
from telemetry.tests.sdk.compare import both, plain
from telemetry.tests.sdk.test_instruments import everything

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


def without_measuring(meter: Meter) -> None:
    """Creates what `everything` creates, and keeps it as that will find it."""
    everything(Creating(meter))  # type: ignore[arg-type]


class Creating:
    """A meter whose instruments record nothing."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def __getattr__(self, name: str) -> Any:
        def create(*args: Any, **kwargs: Any) -> Any:
            getattr(self.meter, name)(*args, **kwargs)
            return self

        if name in ("add", "record", "set"):
            return lambda *args, **kwargs: None
        return create


class TestAdopt:
    def test_instruments_created_before_and_after(self) -> None:
        readers = [InMemoryMetricReader(), InMemoryMetricReader()]
        provider = MeterProvider(readers[:1], shutdown_on_exit=False)
        provider.add_metric_reader(readers[1])
        meter = provider.get_meter("scope", "1.0", "https://schema.example")
        without_measuring(meter)
        store = MemoryStore()
        consumer = adopt(provider, store)
        assert consumer is consumer_of(provider) is adopt(provider, MemoryStore())
        everything(meter)
        provider.get_meter("later").create_counter("later").add(1)

        ((expected,),) = both(everything)[0]
        for reader in readers:
            found = plain(reader.get_metrics_data())
            assert found.pop(next(name for name in found if name[0][0] == "later")) == {(): {"value": 1}}
            generated = [name for name in found if name[1][0] == "generated"]
            for name in generated:  # its callback counts how often it was asked
                assert found.pop(name).keys() == expected.get(name, {}).keys()
            assert found == {name: points for name, points in expected.items() if name not in generated}
        assert len(store.read().tables) > 5

    def test_new_instruments_of_old_meters(self) -> None:
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader], shutdown_on_exit=False)
        meter = provider.get_meter("scope")
        adopt(provider, MemoryStore())
        meter.create_counter("new").add(1)
        ((points),) = plain(reader.get_metrics_data()).values()
        assert points == {(): {"value": 1}}

    @pytest.mark.parametrize("provider", [NoOpMeterProvider(), None, "provider"], ids=str)
    def test_what_is_not_the_sdks_is_refused(self, provider: Any) -> None:
        with pytest.raises(ConfigurationError, match="only the SDK's MeterProvider"):
            adopt(provider, MemoryStore())
        with pytest.raises(ConfigurationError, match="does not record into a store"):
            consumer_of(provider)

    def test_one_that_is_on_a_store_stays_on_it(self) -> None:
        provider = StoreMeterProvider(store=MemoryStore(), shutdown_on_exit=False)
        assert adopt(provider, MemoryStore()) is consumer_of(provider)


class TestUnderOpentelemetryInstrument:
    SCRIPT = """
        import json, sys
        from opentelemetry import metrics
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        early = metrics.get_meter("early").create_counter("early")   # before anybody adopts

        from telemetry.sdk.families import families
        from telemetry.sdk.provider import adopt, consumer_of
        from telemetry.store.memory import MemoryStore

        provider, store, reader = metrics.get_meter_provider(), MemoryStore(), InMemoryMetricReader()
        readers = len(provider._metric_readers)
        adopt(provider, store)
        provider.add_metric_reader(reader)
        early.add(2, {"a": "x"})
        metrics.get_meter("late").create_histogram("late").record(3)
        data = reader.get_metrics_data()
        shown = {item.family.name: len(item.series) for item in families(provider, store.read())}
        names = sorted(metric.name for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics)
        print(json.dumps([type(provider).__name__, readers, names, shown]))
        """

    def test_its_provider_is_adopted(self, tmp_path: Path) -> None:
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(self.SCRIPT))
        command = shutil.which("opentelemetry-instrument", path=str(Path(sys.executable).parent))
        assert command, "opentelemetry-distro belongs to the development requirements"
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "DJANGO_"))}
        environ |= {
            "PYTHONPATH": str(ROOT),
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "console",
            # Some make instruments of their own at once, as Celery's does.
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*",
        }
        ran = subprocess.run(
            [command, sys.executable, str(script)],
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        answer, _, console = ran.stdout.partition("\n")
        assert json.loads(answer) == ["MeterProvider", 1, ["early", "late"], {"early_total": 1, "late": 1}]
        # The reader that was there before exports from the store too, at the end of the process.
        exported = json.loads(console)["resource_metrics"][0]["scope_metrics"]
        points = {metric["name"]: metric["data"]["data_points"] for scope in exported for metric in scope["metrics"]}
        assert [point["value"] for point in points["early"]] == [2]
        assert [point["count"] for point in points["late"]] == [1]
