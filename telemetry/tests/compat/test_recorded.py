"""Metrics of prometheus_client's shape: the same calls on prometheus_client's own and on ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from prometheus_client import Metric

from telemetry import runtime
from telemetry.catalogue.by_hand import by_hand, with_by_hand
from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.own import DROPPED
from telemetry.compat.django_prometheus import _home, _recorded
from telemetry.compat.django_prometheus._home import Home
from telemetry.errors import ConfigurationError, SpecError
from telemetry.projections import evaluate, evaluate_all
from telemetry.spec import OVERFLOW
from telemetry.store import MemoryStore, open_store


def samples(metric: Any) -> list[tuple[str, dict[str, str], float]]:
    collected: list[Metric] = list(metric.collect())
    found = [
        (sample.name, dict(sample.labels), sample.value)
        for each in collected
        for sample in each.samples
        if not sample.name.endswith("_created")
    ]
    return sorted(found, key=str)


def counters(package: Any, **options: Any) -> list[Any]:
    plain = package.Counter("seen_total", "Seen.", namespace="ns", **options)
    plain.inc()
    plain.inc(amount=1.5)
    with pytest.raises(KeyError), plain.count_exceptions():
        raise KeyError
    labelled = package.Counter("things", "Things.", ["colour", "size"], **options)
    labelled.labels("red", 1).inc(2)
    labelled.labels(size="2", colour="blue").inc()
    labelled.labels("never", "counted")
    return [plain, labelled]


def gauges(package: Any, **options: Any) -> list[Any]:
    plain = package.Gauge("level", "Level.", **options)
    plain.set(5)
    plain.inc(2)
    plain.dec()
    labelled = package.Gauge("levels", "Levels.", ["tank"], subsystem="sub", **options)
    labelled.labels("a").inc(3)
    labelled.labels("a").set(1)
    labelled.labels("a").dec(4)
    with labelled.labels("b").track_inprogress():
        labelled.labels("c").set(7)
    return [plain, labelled]


def histograms(package: Any, **options: Any) -> list[Any]:
    plain = package.Histogram("took_seconds", "Took.", **options)
    for seconds in (0.001, 0.005, 0.3, 80):
        plain.observe(seconds)
    labelled = package.Histogram("sizes", "Sizes.", ["kind"], buckets=(1, 1048576), unit="bytes", **options)
    labelled.labels(kind="x").observe(2, exemplar={"trace_id": "1"})
    labelled.labels("none")
    return [plain, labelled]


class TestSameCalls:
    @pytest.mark.parametrize("make", [counters, gauges, histograms])
    def test_the_same_calls_give_the_same_families(
        self, make: Callable[..., list[Any]], home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
        theirs = make(prometheus_client, registry=prometheus_client.CollectorRegistry())
        ours = make(_recorded)
        for their, our in zip(theirs, ours, strict=True):
            assert samples(their) == samples(our)
            assert samples(our)
            for name in ("_name", "_labelnames", "_documentation", "_type", "_unit"):
                assert getattr(their, name) == getattr(our, name)
            assert isinstance(our, type(their))
            assert str(their) == str(our)

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda package, **options: package.Counter("a", "a", ["x"], **options).inc(),
            lambda package, **options: package.Counter("a", "a", **options).inc(-1),
            lambda package, **options: package.Counter("a", "a", **options).labels("1"),
            lambda package, **options: package.Counter("a", "a", ["x"], **options).labels("1", "2"),
            lambda package, **options: package.Counter("a", "a", ["x"], **options).labels("1", x="2"),
            lambda package, **options: package.Counter("a", "a", ["x"], **options).labels(y="2"),
            lambda package, **options: package.Counter("a", "a", ["x"], **options).labels("1").labels("1"),
            lambda package, **options: package.Histogram("a", "a", ["x"], **options).observe(1),
            lambda package, **options: package.Histogram("a", "a", ["le"], **options),
            lambda package, **options: package.Histogram("a", "a", buckets=(2, 1), **options),
        ],
    )
    def test_a_wrong_call_is_refused_in_the_same_words(self, wrong: Callable[..., Any], home: Home) -> None:
        with pytest.raises(ValueError) as theirs:
            wrong(prometheus_client, registry=None)
        with pytest.raises(ValueError) as ours:
            wrong(_recorded)
        assert str(theirs.value) == str(ours.value)

    def test_nothing_stands_in_prometheus_clients_registry(self, home: Home) -> None:
        metric = _recorded.Counter("registered_total", "Registered.")
        assert metric not in prometheus_client.REGISTRY._collector_to_names


class TestCounts:
    def test_of_all_processes_are_added_up_and_survive_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_home, "home", Home(open_store((), tmp_path / "store")))
        counter = _recorded.Counter("jobs_total", "Jobs.", ["kind"])
        took = _recorded.Histogram("job_seconds", "Jobs.", buckets=(1, 10))
        child = counter.labels("a")  # from before the fork, as a module-level metric's is
        child.inc()
        for number in (2, 3):
            pid = os.fork()
            if not pid:
                child.inc(number)
                counter.labels("b").inc(number)
                took.observe(number)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        assert samples(counter) == [("jobs_total", {"kind": "a"}, 6.0), ("jobs_total", {"kind": "b"}, 5.0)]
        assert ("job_seconds_sum", {}, 5.0) in samples(took)

    def test_from_before_the_start_are_not_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = runtime.get()
        assert started.store is not None
        early = Home()
        monkeypatch.setattr(_home, "home", early)
        with monkeypatch.context() as not_yet:

            def get() -> runtime.Runtime:
                raise ConfigurationError("the app has not been started")

            not_yet.setattr(runtime, "get", get)
            counter = _recorded.Counter("early_total", "Early.", ["kind"])
            counter.labels("a").inc(2)
            took = _recorded.Histogram("early_seconds", "Early.", buckets=(1,))
            took.observe(0.5)
            level = _recorded.Gauge("early_level", "Early.")
            level.set(4)
            level.inc()
            assert early.store is None
        counter.labels("a").inc()
        assert early.store is started.store
        reading = started.store.read()
        shown = {each.family.name: each for each in evaluate_all(early.projections(), reading)}
        assert shown["early_total"].series == [((("kind", "a"),), 3.0)]
        assert shown["early_level"].series == [((), 5.0)]
        assert samples(took)[-1] == ("early_seconds_sum", {}, 0.5)

    def test_a_value_too_many_is_counted_as_overflow(self, home: Home) -> None:
        home.series_limit = 2
        counter = _recorded.Counter("many_total", "Many.", ["who"])
        for number in range(5):
            counter.labels(str(number)).inc()
        assert samples(counter) == [
            ("many_total", {"who": "0"}, 1.0),
            ("many_total", {"who": "1"}, 1.0),
            ("many_total", {"who": OVERFLOW}, 3.0),
        ]
        assert len(counter._metrics) == 3

    def test_a_hostile_value_is_cut_and_cleaned(self, home: Home) -> None:
        counter = _recorded.Counter("hostile_total", "Hostile.", ["who"])
        counter.labels("\ud800" + "x" * 1000).inc()
        ((_, labels, _),) = samples(counter)
        assert labels == {"who": "?" + "x" * 255}

    def test_a_store_that_fails_costs_a_count_and_no_request(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        counter, took = _recorded.Counter("lost_total", "Lost."), _recorded.Histogram("lost_seconds", "Lost.")
        level = _recorded.Gauge("lost_level", "Lost.")

        def table(layout: object) -> Any:
            raise OSError("disk full")

        with monkeypatch.context() as failing:
            failing.setattr(home, "table", table)
            counter.inc()
            took.observe(1)
            level.set(1)
            level.inc()
        assert home.store is not None
        dropped = home.store.read().tables[DROPPED.name].series()
        assert {key: cells[0] for key, cells in dropped.items()} == {
            ("compat.inc",): 2.0,
            ("compat.observe",): 1.0,
            ("compat.set",): 1.0,
        }


class TestByHand:
    def test_is_added_to_the_built_in_family(self, home: Home) -> None:
        catalogue = db_catalogue()
        projections = {each.family.name: each for each in with_by_hand(catalogue.projections)}
        projection = projections["django_db_execute_total"]
        metric = _recorded.counter(projection.family)
        assert home.store is not None
        metric.labels("default", "sqlite").inc(3)
        before = evaluate(projection, home.store.read()).series
        assert before == [((("alias", "default"), ("vendor", "sqlite")), 3.0)]
        assert home.projections() == []

    def test_belongs_to_counters_and_histograms(self) -> None:
        gauge = _recorded.Gauge("django_level", "A level.").family
        with pytest.raises(SpecError, match=r"django_level.*gauge"):
            by_hand(gauge)


class TestNames:
    def test_one_name_has_one_meaning(self, home: Home) -> None:
        _recorded.Counter("twice_total", "Twice.", ["a"])
        _recorded.Counter("twice_total", "Twice.", ["a"]).labels("x").inc()
        with pytest.raises(SpecError, match=r"twice_total.*\('a',\).*\('b',\)"):
            _recorded.Counter("twice_total", "Twice.", ["b"])

    def test_a_function_for_a_gauge_is_refused(self, home: Home) -> None:
        with pytest.raises(NotImplementedError, match="level"):
            _recorded.Gauge("level", "Level.").set_function(lambda: 1.0)


class TestSwitchedOff:
    def test_counts_go_nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        off = Home()
        monkeypatch.setattr(_home, "home", off)
        monkeypatch.setattr(runtime.get(), "store", None)
        counter = _recorded.Counter("off_total", "Off.")
        counter.inc()
        assert isinstance(off.store, MemoryStore)
