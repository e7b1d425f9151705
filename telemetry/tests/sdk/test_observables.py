"""Observable instruments: whose value they tell, and what a callback can break (nothing)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry.errors import ConfigurationError
from telemetry.sdk import observables
from telemetry.sdk.provider import StoreMeterProvider, publish
from telemetry.spec import Kind
from telemetry.store.memory import MemoryStore
from telemetry.tests.sdk.compare import plain


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


class Case:
    """A provider on a store of its own, with one instrument of each observable kind; tests say what they tell."""

    def __init__(self, **options: Any) -> None:
        self.store, self.reader = MemoryStore(), InMemoryMetricReader()
        self.provider = StoreMeterProvider([self.reader], store=self.store, shutdown_on_exit=False, **options)
        self.meter = self.provider.get_meter("scope")
        self.tell: dict[str, Any] = {"counter": [], "updown": [], "gauge": []}
        self.asked: list[str] = []
        self.meter.create_observable_counter("counter", [self.callback("counter")])
        self.meter.create_observable_up_down_counter("updown", [self.callback("updown")])
        self.meter.create_observable_gauge("gauge", [self.callback("gauge")])

    def callback(self, name: str) -> Any:
        def told(options: CallbackOptions) -> Any:
            self.asked.append(name)
            answer = self.tell[name]
            return (
                answer(options)
                if callable(answer)
                else [Observation(value, attributes) for value, attributes in answer]
            )

        return told

    def stored(self) -> dict[tuple[Kind, str], dict[Any, list[float]]]:
        tables = self.store.read().tables.values()
        return {
            (table.layout.kind, name): table.series()
            for table in tables
            for name in self.tell
            if f'"{name}"' in table.layout.name
        }

    def collected(self) -> dict[str, dict[Any, float]]:
        return {
            name[1][0]: {tuple(value for _, (_, value) in key): point["value"] for key, point in points.items()}
            for name, points in plain(self.reader.get_metrics_data()).items()
        }


class TestScopes:
    def test_counters_are_the_processs_and_gauges_the_services(self) -> None:
        case = Case()
        case.tell = {name: [(5, {"a": "x"})] for name in case.tell}
        publish(case.provider)
        assert case.asked == ["counter", "updown"]
        assert case.stored() == {
            (Kind.SUM, "counter"): {(("a", "x"),): [5.0]},
            (Kind.UPDOWN, "updown"): {(("a", "x"),): [5.0]},
        }
        assert case.collected() == {name: {("x",): 5.0} for name in case.tell}

    def test_overrides(self) -> None:
        case = Case(scopes={"Counter": "service", "gauge": "process"})
        case.tell = {name: [(5, {"a": "x"})] for name in case.tell}
        case.provider.publish()
        assert case.asked == ["updown", "gauge"]
        assert case.stored() == {
            (Kind.UPDOWN, "updown"): {(("a", "x"),): [5.0]},
            (Kind.UPDOWN, "gauge"): {(("a", "x"),): [5.0]},
        }
        assert case.collected() == {name: {("x",): 5.0} for name in case.tell}

    def test_a_scope_that_does_not_exist_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"'pool'.*'worker'.*'service' or 'process'"):
            Case(scopes={"pool": "worker"})


class TestSeriesNoLongerTold:
    def test_an_up_down_counter_has_no_share_left_and_a_counter_keeps_its_total(self) -> None:
        case = Case()
        case.tell = {name: [(5, {"a": "x"}), (6, {"a": "y"})] for name in case.tell}
        case.collected()
        case.tell = {name: [(7, {"a": "y"})] for name in case.tell}
        assert case.collected() == {
            "counter": {("x",): 5.0, ("y",): 7.0},
            "updown": {("x",): 0.0, ("y",): 7.0},
            "gauge": {("y",): 7.0},
        }


class TestFailures:
    def test_a_callback_that_raises_leaves_the_others_and_its_last_share(self) -> None:
        def fail(options: CallbackOptions) -> Any:
            raise RuntimeError("no")

        case = Case()
        case.tell = {name: [(5, {"a": "x"})] for name in case.tell}
        case.collected()
        case.tell["counter"] = case.tell["updown"] = fail
        assert case.collected() == {name: {("x",): 5.0} for name in case.tell}
        case.tell["gauge"] = fail
        assert case.collected() == {"counter": {("x",): 5.0}, "updown": {("x",): 5.0}}

    @pytest.mark.parametrize("answer", [None, 3, [None], ["x"], [(1, {})]], ids=str)
    def test_a_callback_that_tells_nonsense(self, answer: Any) -> None:
        case = Case()
        case.tell = {"counter": lambda options: answer, "updown": [(1, {})], "gauge": lambda options: answer}
        assert case.collected() == {"updown": {(): 1.0}}

    def test_callbacks_after_a_slow_one_keep_their_last_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [0.0]
        monkeypatch.setattr(observables, "monotonic", lambda: clock[0])

        def slow(options: CallbackOptions) -> Any:
            clock[0] += 60
            return [Observation(6)]

        case = Case()
        case.tell = {"counter": [(5, {})], "updown": [(5, {})], "gauge": [(5, {})]}
        case.collected()
        case.asked.clear()
        case.tell = {"counter": slow, "updown": [(7, {})], "gauge": [(7, {})]}
        assert case.collected() == {"counter": {(): 6.0}, "updown": {(): 5.0}, "gauge": {(): 7.0}}
        assert case.asked == ["counter", "gauge"]
        # The quick ones go first from now on.
        assert case.collected() == {"counter": {(): 6.0}, "updown": {(): 7.0}, "gauge": {(): 7.0}}
        assert case.asked == ["counter", "gauge", "updown", "counter", "gauge"]

    def test_a_callback_that_hangs_holds_up_one_collection_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(observables, "WAIT", 0.01)
        entered, go, done = threading.Event(), threading.Event(), threading.Event()

        def hang(options: CallbackOptions) -> Any:
            entered.set()
            go.wait(30)
            done.set()
            return [Observation(6)]

        case = Case()
        case.tell = {name: [(5, {})] for name in case.tell}
        case.collected()
        case.tell["counter"] = hang
        other = InMemoryMetricReader()
        case.provider.add_metric_reader(other)
        thread = threading.Thread(target=other.collect)
        thread.start()
        try:
            assert entered.wait(30)
            assert case.collected() == {name: {(): 5.0} for name in case.tell}
            assert not done.is_set()
        finally:
            go.set()
            thread.join()
        case.tell["counter"] = [(6, {})]
        assert case.collected() == {"counter": {(): 6.0}, "updown": {(): 5.0}, "gauge": {(): 5.0}}
