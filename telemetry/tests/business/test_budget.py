"""The first values of an open label have series of their own, the rest one together, and the totals are exact."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from telemetry.business import budgets, measures, register_all
from telemetry.business.alerts import ALERT_CREATED, ALERT_FAILED, Channel
from telemetry.business.labels import Product
from telemetry.business.quality import CLAIM_RECORDS_INGESTED, INGESTION_PROCESSING, IngestionStatus
from telemetry.limit import OVERFLOWED, SERIES
from telemetry.samples import HistogramValue
from telemetry.sdk.consumer import Limits
from telemetry.sdk.families import families
from telemetry.sdk.provider import StoreMeterProvider
from telemetry.spec import OVERFLOW
from telemetry.store import MemoryStore

BUDGET = ALERT_CREATED.budgets["customer_id"]
ROOT = Path(__file__).parents[3]
CUSTOMERS = [f"c{number}" for number in range(1000)]


class Service:
    """The business instruments on a store of their own, with the budgets of their declarations."""

    def __init__(self, labels: Mapping[str, int]) -> None:
        self.store = MemoryStore()
        limits = Limits(labels=labels, declared=budgets())
        self.provider = StoreMeterProvider(store=self.store, limits=limits, shutdown_on_exit=False)
        register_all(self.provider)

    def shown(self, name: str) -> dict[tuple[str, ...], float]:
        """Value, or number of observations, by the values of the labels in the order of their names."""
        (found,) = [each for each in families(self.provider, self.store.read()) if each.family.name == name]
        return {
            tuple(value for _, value in labels): value.count if isinstance(value, HistogramValue) else value
            for labels, value in found.series
        }

    def overflowed(self) -> dict[str, float]:
        """Measurements with a replaced label, by instrument."""
        table = self.store.read().tables.get(OVERFLOWED.name)
        return {str(key[0]): cells[0] for key, cells in table.series().items()} if table else {}


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """With the parameter as TELEMETRY_LABEL_BUDGETS."""
    yield Service(getattr(request, "param", {}))
    register_all()


def ingest(customer: str, records: int, status: IngestionStatus = IngestionStatus.SUCCESS) -> None:
    CLAIM_RECORDS_INGESTED.add(records, customer_id=customer, status=status)


class TestOneProcess:
    def test_the_first_to_come_have_series_of_their_own_and_totals_are_exact(self, service: Service) -> None:
        for number, customer in enumerate(CUSTOMERS):
            ingest(customer, number)
            ingest(customer, 1, IngestionStatus.FAILED)
        shown = service.shown("upstream_claim_records_ingested_total")
        assert {*CUSTOMERS[:BUDGET], OVERFLOW} == {customer for customer, _ in shown}
        assert 2 * (BUDGET + 1) == len(shown)
        assert {(customer, "success"): number for number, customer in enumerate(CUSTOMERS[:BUDGET])} == {
            labels: value for labels, value in shown.items() if labels[1] == "success" and labels[0] != OVERFLOW
        }
        totals: Counter[str] = Counter()
        for (_, status), value in shown.items():
            totals[status] += int(value)
        assert {"success": sum(range(1000)), "failed": 1000} == totals
        assert {"upstream_claim_records_ingested": 2 * (1000 - BUDGET)} == service.overflowed()

    def test_who_was_admitted_before_stays_so(self, service: Service) -> None:
        for customer in CUSTOMERS:
            ingest(customer, 1)
        for customer in (CUSTOMERS[0], CUSTOMERS[-1]):
            ingest(customer, 10)
            ingest(customer, 5, IngestionStatus.PARTIAL)
        shown = service.shown("upstream_claim_records_ingested_total")
        assert (11, 5) == (shown[CUSTOMERS[0], "success"], shown[CUSTOMERS[0], "partial"])
        assert (1000 - BUDGET + 10, 5) == (shown[OVERFLOW, "success"], shown[OVERFLOW, "partial"])

    def test_a_family_does_not_eat_the_budget_of_another(self, service: Service) -> None:
        for customer in CUSTOMERS:
            ingest(customer, 1)
        for customer in reversed(CUSTOMERS):
            INGESTION_PROCESSING.record(2, customer_id=customer)
        shown = service.shown("upstream_ingestion_processing_seconds")
        assert {(customer,): 1 for customer in CUSTOMERS[-BUDGET:]} | {(OVERFLOW,): 1000 - BUDGET} == shown

    def test_one_label_does_not_eat_the_budget_of_another(self, service: Service) -> None:
        errors = ALERT_FAILED.budgets["error_type"]
        for number, customer in enumerate(CUSTOMERS):
            ALERT_FAILED.add(
                product=Product.DRIFTWATCH,
                channel_type=Channel.EMAIL,
                error_type=f"Error{number}",
                customer_id=customer,
            )
        shown = service.shown("upstream_alert_failed_total")
        channels, customers, kinds, products = (set(each) for each in zip(*shown, strict=True))
        assert ({"email"}, {"DriftWatch"}) == (channels, products)
        assert (BUDGET + 1, errors + 1) == (len(customers), len(kinds))
        assert 1000 == sum(shown.values())

    @pytest.mark.parametrize("name", measures())
    def test_no_family_has_more_series_than_its_budget_and_as_many_that_overflowed(
        self, name: str, service: Service
    ) -> None:
        measure = measures()[name]
        for number in range(3 * measure.series_budget):
            values = (
                label.values[number % len(label.values)] if label.values else f"{number % (label.budget + 50)}"
                for label in measure.labels.values()
            )
            measure.offer(1, **dict(zip(measure.labels, values, strict=True)))
        shown = service.shown(measure.family.name)
        kept = [labels for labels in shown if OVERFLOW not in labels]
        assert len(kept) <= measure.series_budget <= SERIES
        assert len(shown) <= 2 * measure.series_budget + 1
        for index, label in enumerate(sorted(measure.labels)):
            assert len({labels[index] for labels in shown} - {OVERFLOW}) <= measure.labels[label].budget

    def test_instruments_of_others_are_left_alone(self, service: Service) -> None:
        for scope in ("shop", "telemetry.business"):
            meter = service.provider.get_meter(scope)
            theirs = meter.create_counter("shop_orders")
            for customer in CUSTOMERS:
                theirs.add(1, {"customer_id": customer})
        same_name = service.provider.get_meter("shop").create_counter("upstream_denial_signal")
        for customer in CUSTOMERS:
            same_name.add(1, {"customer_id": customer})
        assert 1000 == len(service.shown("shop_orders_total"))
        assert 1000 == len(service.shown("upstream_denial_signal_total"))
        assert {} == service.overflowed()

    @pytest.mark.parametrize("service", [{"customer_id": 3}, {"customer_id": 900}], indirect=True)
    def test_the_setting_comes_first(self, service: Service, request: pytest.FixtureRequest) -> None:
        budget = request.node.callspec.params["service"]["customer_id"]
        for customer in CUSTOMERS:
            ingest(customer, 1)
        assert budget + 1 == len(service.shown("upstream_claim_records_ingested_total"))

    @pytest.mark.parametrize("service", [{"status": 1}], indirect=True)
    def test_a_setting_for_another_label_leaves_the_declared_budget(self, service: Service) -> None:
        for customer in CUSTOMERS:
            ingest(customer, 1)
        assert BUDGET + 1 == len(service.shown("upstream_claim_records_ingested_total"))


_WORK = """
import sys, django
django.setup()
from telemetry.business.alerts import ALERT_CREATED, Severity
from telemetry.business.labels import Product
first = int(sys.argv[1])
for number in range(1000):
    ALERT_CREATED.add(product=Product.DRIFTWATCH, severity=Severity.LOW, customer_id=f"c{(first + number) % 1000}")
print("done", flush=True)
sys.stdin.read()
"""
_READ = """
import json, django
django.setup()
from telemetry import runtime
print(json.dumps({
    found.family.name: [[dict(labels), value] for labels, value in found.series]
    for found in runtime.get().families()
    if found.family.name in ("upstream_alert_created_total", "telemetry_series_overflow_total")
}))
"""


class TestSeveralProcesses:
    def test_each_admits_its_own_and_the_sum_is_exact(self, tmp_path: Path) -> None:
        firsts = (0, 100, 500)
        with contextlib.ExitStack() as stack:
            workers = [stack.enter_context(python(tmp_path, _WORK, str(first))) for first in firsts]
            assert ["done\n"] * len(firsts) == [worker.stdout.readline() for worker in workers if worker.stdout]
            with python(tmp_path, _READ) as reader:
                shown = json.loads(reader.communicate(timeout=60)[0])
        series = {labels["customer_id"]: value for labels, value in map(tuple, shown["upstream_alert_created_total"])}
        admitted = [{f"c{first + number}" for number in range(BUDGET)} for first in firsts]
        assert {*set().union(*admitted), OVERFLOW} == series.keys()
        assert len(series) <= len(firsts) * BUDGET + 1
        assert (1, 2) == (series["c50"], series["c150"])
        assert 1000 * len(firsts) == sum(series.values())
        assert [{"stream": "upstream_alert_created"}, len(firsts) * (1000 - BUDGET)] in shown[
            "telemetry_series_overflow_total"
        ]


@contextlib.contextmanager
def python(store: Path, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the product that shares `store`; it is told to end, and must end well."""
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "upstream.settings.test", "TELEMETRY_STORE_DIR": str(store)}
    command = [sys.executable, "-c", script, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        if process.stdin and not process.stdin.closed:
            process.stdin.close()
        assert 0 == process.wait(timeout=60)
