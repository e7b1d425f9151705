"""Series beyond a limit are folded into OVERFLOW; totals stay exact."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry.errors import SpecError
from telemetry.limit import OVERFLOWED, SeriesLimit
from telemetry.samples import Key
from telemetry.sdk.consumer import Limits
from telemetry.sdk.families import families
from telemetry.sdk.provider import StoreMeterProvider
from telemetry.spec import OVERFLOW
from telemetry.store.memory import MemoryStore


class TestSeriesLimit:
    def test_what_is_within_the_limit_stays(self) -> None:
        limit = SeriesLimit(3, labels=("a",))
        keys: list[Key] = [("1",), ("2",), ("3",), ("1",), ()]
        assert [limit.admit(key) for key in keys] == keys

    def test_a_label_beyond_its_budget_is_replaced_alone(self) -> None:
        limit = SeriesLimit(100, {"customer": 2}, labels=("product", "customer"))
        given: list[Key] = [("p", "1"), ("q", "2"), ("p", "3"), ("q", "1"), ("r", "3")]
        expected = [("p", "1"), ("q", "2"), ("p", OVERFLOW), ("q", "1"), ("r", OVERFLOW)]
        assert expected == [limit.admit(key) for key in given]

    def test_a_value_takes_its_place_though_another_label_is_replaced(self) -> None:
        limit = SeriesLimit(100, {"customer": 2, "error": 1}, labels=("customer", "error"))
        given: list[Key] = [("1", "x"), ("2", "y"), ("3", "y"), ("3", "x"), ("2", "x")]
        expected = [("1", "x"), ("2", OVERFLOW), (OVERFLOW, OVERFLOW), (OVERFLOW, "x"), ("2", "x")]
        assert expected == [limit.admit(key) for key in given]

    def test_without_a_budget_the_label_with_most_values_is_replaced(self) -> None:
        limit = SeriesLimit(4, labels=("product", "path"))
        given: list[Key] = [("p", "/1"), ("p", "/2"), ("q", "/1"), ("q", "/3"), ("q", "/4"), ("p", "/5"), ("p", "/1")]
        expected = [*given[:4], ("q", OVERFLOW), ("p", OVERFLOW), ("p", "/1")]
        assert expected == [limit.admit(key) for key in given]

    def test_keys_of_pairs(self) -> None:
        limit = SeriesLimit(10, {"b": 1})
        limit.admit((("a", "x"), ("b", "1")))
        assert (("a", "x"), ("b", OVERFLOW)) == limit.admit((("a", "x"), ("b", "2", "json")))
        assert (("b", OVERFLOW),) == limit.admit((("b", "3"),))

    @pytest.mark.parametrize("seed", range(3))
    def test_any_flood_is_bounded_and_keeps_its_total(self, seed: int) -> None:
        chance, limit = random.Random(seed), SeriesLimit(20, {"c": 3}, labels=("a", "b", "c"))
        counted: Counter[Key] = Counter()
        for _ in range(3000):
            counted[limit.admit(tuple(str(chance.randrange(200)) for _ in range(3)))] += 1
        assert sum(counted.values()) == 3000
        kept = [key for key in counted if OVERFLOW not in key]
        assert len(kept) <= 20
        assert len(counted) <= 2 * 20 + 1
        assert len({key[2] for key in counted} - {OVERFLOW}) <= 3

    @pytest.mark.parametrize(
        ("series", "budgets", "named"), [(0, {}, "series"), (5, {"customer_id": 0}, "customer_id")]
    )
    def test_a_limit_below_1_is_refused(self, series: int, budgets: dict[str, int], named: str) -> None:
        with pytest.raises(SpecError, match=named):
            SeriesLimit(series, budgets)


class TestLimits:
    def test_streams(self) -> None:
        store, reader = MemoryStore(), InMemoryMetricReader()
        limits = Limits(series=5, by_name={"wide": 50}, labels={"customer_id": 2})
        provider = StoreMeterProvider([reader], store=store, limits=limits, shutdown_on_exit=False)
        meter = provider.get_meter("scope")
        for index in range(40):
            meter.create_counter("narrow").add(2, {"path": f"/{index}", "method": "GET"})
            meter.create_counter("wide").add(2, {"path": f"/{index}", "method": "GET"})
            meter.create_histogram("billed").record(1, {"customer_id": index})
        found = {item.family.name: dict(item.series) for item in families(provider, store.read())}
        narrow = found["narrow_total"]
        assert narrow.pop((("method", "GET"), ("path", OVERFLOW))) == 2 * 35
        assert narrow == {(("method", "GET"), ("path", f"/{index}")): 2 for index in range(5)}
        assert len(found["wide_total"]) == 40
        billed = {labels[0][1]: value.count for labels, value in found["billed"].items()}  # type: ignore[union-attr]
        assert billed == {"0": 1, "1": 1, OVERFLOW: 38}
        overflowed = store.read().tables[OVERFLOWED.name].series()
        assert overflowed == {("narrow",): [35], ("billed",): [38]}

    def test_an_attribute_set_that_overflowed_is_counted_each_time(self) -> None:
        store = MemoryStore()
        provider = StoreMeterProvider(store=store, limits=Limits(series=1), shutdown_on_exit=False)
        counter = provider.get_meter("scope").create_counter("c")
        for _ in range(3):
            counter.add(1, {"a": "kept"})
            counter.add(1, {"a": "lost"})
        ((_, series),) = [(item.family, item.series) for item in families(provider, store.read())]
        assert dict(series) == {(("a", "kept"),): 3, (("a", OVERFLOW),): 3}
        assert store.read().tables[OVERFLOWED.name].series() == {("c",): [3]}
