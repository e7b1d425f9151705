"""Spans of tasks: a trace goes on from who sends one to who runs it, whatever they do, and tells nothing private."""

from __future__ import annotations

import copy
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, signals
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    StaticSampler,
)
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from telemetry.instrumentation import clients, privacy, spans, task_spans, task_spans_celery
from telemetry.sdk.cleaning import CleaningExporter
from telemetry.tests.instrumentation.task_recording import Calling, an_app, run
from telemetry.tests.servers.harness import CHECKOUT

SECRET = "claim C-77 of jane@example.com"

Stock: Any = CeleryInstrumentor
app = an_app()


@app.task(shared=False, name="shop.does")
def does(what: Any = None) -> None:
    """Raises what it is given, if that is an exception."""
    if isinstance(what, BaseException):
        raise what
    with trace.get_tracer(__name__).start_as_current_span("inside"):
        pass


@app.task(shared=False, name="shop.expects", throws=(KeyError,))
def expects() -> None:
    raise KeyError(SECRET)


@app.task(shared=False, name="shop.again", bind=True)
def again(self: Any) -> None:
    raise self.retry(exc=LookupError(SECRET), countdown=0)


@app.task(shared=False, name="shop.calls", bind=True, base=Calling)
def calls(self: Any) -> None:
    raise self.retry(countdown=0)


class Tracing:
    """While the block runs, tasks are traced here."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer(__name__)
        self.failures: list[tuple[str, BaseException]] = []

    def __enter__(self) -> Tracing:
        task_spans.install(self.provider, lambda where, error: self.failures.append((where, error)))
        return self

    def __exit__(self, *exc: object) -> None:
        task_spans.uninstall()
        assert trace.INVALID_SPAN is get_current_span(), "no span is left behind as the current one"

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def names(self) -> list[str]:
        return [span.name for span in self.spans()]

    def span(self, name: str) -> ReadableSpan:
        (found,) = (span for span in self.spans() if span.name == name)
        return found


@pytest.fixture(autouse=True)
def nobody_elses() -> None:
    """Undo what tests before these may have left switched on: then `install` would change nothing."""
    task_spans.uninstall()


@pytest.fixture
def tracing() -> Iterator[Tracing]:
    with Tracing() as tracing:
        yield tracing
        assert [] == tracing.failures


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    """The headers of every message that goes out; it does not get anywhere."""
    found: list[dict[str, Any]] = []

    def look(headers: dict[str, Any], **_: object) -> None:
        found.append(dict(headers))

    signals.after_task_publish.connect(look, weak=False)
    yield found
    signals.after_task_publish.disconnect(look)


def child_of(span: ReadableSpan, parent: ReadableSpan) -> bool:
    assert span.context is not None
    return span.parent is not None and parent.context is not None and span.parent.span_id == parent.context.span_id


class TestChain:
    def test_from_the_sender_to_the_run(self, tracing: Tracing, sent: list[dict[str, Any]]) -> None:
        with tracing.tracer.start_as_current_span("request"):
            does.delay()
        (message,) = sent
        run(does, traceparent=message["traceparent"])
        names = "request", "apply_async/shop.does", "run/shop.does"
        request, sending, running = map(tracing.span, names)
        assert (SpanKind.PRODUCER, SpanKind.CONSUMER) == (sending.kind, running.kind)
        assert child_of(sending, request)
        assert child_of(running, sending)
        attributes = dict(sending.attributes or {})
        assert message["id"] == attributes["messaging.message.id"]
        assert "shop.does" == attributes["celery.task_name"]

    def test_a_task_of_somebody_elses(self, tracing: Tracing, sent: list[dict[str, Any]]) -> None:
        """It is sent by its name, and in no registry."""
        after: list[trace.Span] = []

        def send() -> None:
            app.send_task("elsewhere.does")
            after.append(get_current_span())

        thread = threading.Thread(target=send)
        thread.start()
        thread.join()
        assert [trace.INVALID_SPAN] == after
        assert ["apply_async/elsewhere.does"] == tracing.names()
        assert "traceparent" in sent[0]

    def test_a_broker_that_is_away(self, tracing: Tracing) -> None:
        away = Celery("away", set_as_current=False, broker="amqp://127.0.0.1:1//")
        away.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
        with tracing.tracer.start_as_current_span("request") as request:
            with pytest.raises(Exception, match="refused"):
                away.send_task("elsewhere.does", retry=False)
            assert request is get_current_span()
        sending = tracing.span("apply_async/elsewhere.does")
        assert StatusCode.ERROR is sending.status.status_code
        assert "refused" not in sending.to_json()

    def test_a_retry_goes_on_in_it(self, tracing: Tracing, sent: list[dict[str, Any]]) -> None:
        with tracing.tracer.start_as_current_span("request"):
            again.delay()
        run(again, traceparent=sent[0]["traceparent"], headers={"traceparent": sent[0]["traceparent"]})
        first, second = (span for span in tracing.spans() if span.name == "apply_async/shop.again")
        running = tracing.span("run/shop.again")
        assert (True, True) == (child_of(running, first), child_of(second, running))
        assert second.context is not None
        assert f"{second.context.span_id:016x}" in sent[1]["traceparent"]
        assert "LookupError" == dict(running.attributes or {})["celery.retry.reason"]

    def test_a_retry_by_a_task_with_a_call_of_its_own_takes_nothing_else_along(
        self, sent: list[dict[str, Any]]
    ) -> None:
        run(calls)
        with Tracing() as tracing:
            assert "RETRY" == run_state(calls)
        without, message = sent
        assert ({*without, "traceparent"}, []) == ({*message}, tracing.failures)
        assert child_of(tracing.span("apply_async/shop.calls"), tracing.span("run/shop.calls"))

    def test_a_request_can_be_copied(self, tracing: Tracing) -> None:
        @app.task(shared=False, name="shop.copies", bind=True)
        def copies(self: Any) -> None:
            assert vars(self.request) == vars(copy.deepcopy(self.request))

        assert "SUCCESS" == run_state(copies)

    def test_a_worker_cancels_a_run_for_no_reason(self, tracing: Tracing) -> None:
        @app.task(shared=False, name="shop.cancelled", bind=True)
        def cancelled(self: Any) -> None:
            signals.task_retry.send(self, request=self.request, einfo=None)

        run(cancelled)
        assert "celery.retry.reason" not in (tracing.span("run/shop.cancelled").attributes or {})

    def test_an_eager_run_is_below_who_asks(self, tracing: Tracing) -> None:
        with tracing.tracer.start_as_current_span("request"):
            does.apply()
        assert child_of(tracing.span("run/shop.does"), tracing.span("request"))

    def test_below_an_unsampled_sender_nothing_is_recorded(self, sent: list[dict[str, Any]]) -> None:
        with Tracing(ParentBased(ALWAYS_OFF)) as tracing, tracing.tracer.start_as_current_span("request"):
            does.delay()
        with Tracing() as worker:
            run(does, traceparent=sent[0]["traceparent"])
            run(again, traceparent=sent[0]["traceparent"])
        first, second = (message["traceparent"].split("-") for message in sent)
        assert (0, 0) == (int(first[3], 16) & 1, int(second[3], 16) & 1)
        assert first[1] == second[1], "one trace"
        assert ([], [], [], []) == (tracing.spans(), worker.spans(), tracing.failures, worker.failures)


class TestSampling:
    @pytest.fixture
    def made(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The names of the span objects that are made."""
        made: list[str] = []
        kind: Any = type(Tracing().tracer)
        start = kind.start_span

        def start_span(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            made.append(name)
            return start(self, name, *args, **kwargs)

        monkeypatch.setattr(kind, "start_span", start_span)
        return made

    def work(self, tracing: Tracing, sent: list[dict[str, Any]]) -> None:
        """A task is sent, and another runs and sends one, below a parent that is not sampled."""
        parent = trace.SpanContext(7, 2, is_remote=False)
        with tracing:
            with trace.use_span(trace.NonRecordingSpan(parent)):
                does.delay()
            run(again, traceparent=sent[-1]["traceparent"])

    @pytest.mark.parametrize("sampler", [ParentBased(ALWAYS_ON), ParentBasedTraceIdRatio(1.0)])
    def test_no_span_is_made_where_the_sdks_own_sampler_would_drop_it(
        self, sampler: Sampler, made: list[str], sent: list[dict[str, Any]]
    ) -> None:
        self.work(Tracing(sampler), sent)
        assert [] == made
        assert [(f"{7:032x}", "00")] * 2 == [tuple(each["traceparent"].split("-")[1::2]) for each in sent]

    @pytest.mark.parametrize("sampled", [False, True])
    def test_any_other_sampler_is_asked(self, sampled: bool, made: list[str], sent: list[dict[str, Any]]) -> None:
        configured = ParentBased(
            ALWAYS_ON,
            local_parent_not_sampled=ALWAYS_ON if sampled else StaticSampler(Decision.DROP),
            remote_parent_not_sampled=ALWAYS_ON if sampled else StaticSampler(Decision.DROP),
        )
        tracing = Tracing(configured)
        self.work(tracing, sent)
        assert ["apply_async/shop.does", "run/shop.again", "apply_async/shop.again"] == made
        assert (3 if sampled else 0) == len(tracing.spans())


class TestSwitch:
    @pytest.mark.parametrize(("disabled", "traced"), [({"celery"}, 0), ({"*"}, 0), ({"sqlite3"}, 1)], ids=str)
    def test_it_can_be_named_among_the_disabled(self, disabled: set[str], traced: int) -> None:
        found = Tracing()
        others = frozenset({"django", *spans.DRIVERS, *clients.LIBRARIES, *disabled})
        spans.install(
            found.provider, disabled=others, excluded_urls=None, get_middleware=list, set_middleware=lambda _: None
        )
        try:
            run(does)
        finally:
            spans.uninstall(get_middleware=list, set_middleware=lambda _: None)
        run(does)
        assert ["run/shop.does"] * traced == found.names()


class TestPrivacy:
    @pytest.mark.parametrize(
        ("task", "status"),
        [("does", StatusCode.ERROR), ("expects", StatusCode.UNSET), ("again", StatusCode.UNSET)],
    )
    def test_no_message_and_no_argument(self, tracing: Tracing, task: str, status: StatusCode) -> None:
        arguments = (ValueError(SECRET),) if task == "does" else ()
        run(app.tasks[f"shop.{task}"], *arguments, argsrepr=SECRET, kwargsrepr=SECRET)
        running = tracing.span(f"run/shop.{task}")
        assert status is running.status.status_code
        for span in tracing.spans():
            assert "C-77" not in span.to_json()
            assert "jane" not in span.to_json()

    def test_a_failure_is_told_by_its_type_and_stack(self, tracing: Tracing) -> None:
        run(does, ValueError(SECRET))
        running = tracing.span("run/shop.does")
        (event,) = running.events
        assert ("exception", "ValueError") == (event.name, dict(event.attributes or {})["exception.type"])
        assert "ValueError" == running.status.description

    def test_arguments_that_are_sent(self, tracing: Tracing, sent: list[dict[str, Any]]) -> None:
        does.delay(SECRET)
        assert SECRET in sent[0]["argsrepr"]
        assert "C-77" not in tracing.span("apply_async/shop.does").to_json()


class TestStock:
    def test_ours_takes_its_place(self) -> None:
        ours = Tracing()
        Stock().instrument(tracer_provider=ours.provider)
        with ours:
            run(does)
            assert isinstance(Stock(), task_spans_celery.CeleryInstrumentor)
        assert ["run/shop.does"] == ours.names()
        assert not Stock().is_instrumented_by_opentelemetry

    @pytest.mark.parametrize("links", [False, True], ids=["a provider of its own", "links"])
    def test_it_stays_where_it_does_what_ours_cannot(self, links: bool) -> None:
        stock, theirs = Stock(), Tracing()
        ours = theirs if links else Tracing()
        stock.instrument(tracer_provider=theirs.provider, use_span_links=links)
        try:
            with ours:
                run(does)
                assert task_spans.stays
        finally:
            stock.uninstrument()
        assert ["run/shop.does"] == theirs.names()
        assert not isinstance(Stock(), task_spans_celery.CeleryInstrumentor)

    def test_who_asks_for_it_later_is_given_ours(self) -> None:
        theirs = Tracing()
        with Tracing() as ours:
            Stock().instrument()
            run(does)
            Stock().instrument(tracer_provider=theirs.provider)
            run(does)
            does.delay()
        assert (["run/shop.does"], ["run/shop.does", "apply_async/shop.does"]) == (ours.names(), theirs.names())

    def test_what_it_tells_of_a_retry_does_not_leave(self, sent: list[dict[str, Any]]) -> None:
        stock, theirs, gone = Stock(), Tracing(), InMemorySpanExporter()
        theirs.provider.add_span_processor(SimpleSpanProcessor(CleaningExporter(gone, privacy, lambda *_: None)))
        stock.instrument(tracer_provider=theirs.provider)
        try:
            run(again)
        finally:
            stock.uninstrument()
        (clean,) = (span for span in gone.get_finished_spans() if span.name == "run/shop.again")
        assert "C-77" in theirs.span("run/shop.again").to_json()
        assert "C-77" not in clean.to_json()
        assert "LookupError" == (clean.attributes or {})["celery.retry.reason"]

    def test_names_kinds_and_attributes_are_its(self, sent: list[dict[str, Any]]) -> None:
        stock, theirs = Stock(), Tracing()

        def traffic() -> None:
            app.set_current()
            does.delay()
            run(does, id="7", traceparent=sent[-1]["traceparent"], timelimit=[5, None], retries=2, reply_to="x")
            run(does, ValueError(), id="8")

        stock.instrument(tracer_provider=theirs.provider)
        try:
            traffic()
        finally:
            stock.uninstrument()
        with Tracing() as ours:
            traffic()
        assert [shape(span) for span in theirs.spans()] == [shape(span) for span in ours.spans()]


def shape(span: ReadableSpan) -> tuple[object, ...]:
    varying = ("messaging.message.id", "messaging.conversation_id", "celery.reply_to")
    attributes = {name: value for name, value in (span.attributes or {}).items() if name not in varying}
    return span.name, span.kind, span.status.status_code, span.parent is None, attributes


class TestTroubles:
    def test_a_message_with_nonsense_costs_a_span_at_most(self) -> None:
        with Tracing() as tracing:
            assert "SUCCESS" == run_state(does, timelimit=7, traceparent="x")
            run(does)
        assert {"spans.tasks.postrun"} == {where for where, _ in tracing.failures}
        assert ["run/shop.does"] * 2 == tracing.names()

    def test_a_sampler_that_breaks(self, sent: list[dict[str, Any]]) -> None:
        with Tracing(Broken()) as tracing:
            does.delay()
            run(does)
        assert ["spans.tasks.send", "spans.tasks.prerun"] == [where for where, _ in tracing.failures]
        assert 1 == len(sent)


def run_state(task: Any, **said: Any) -> str:
    """How a run ends that a message asks for which Celery itself would not have read."""
    states: list[str] = []

    def look(state: str, **_: object) -> None:
        states.append(state)

    signals.task_postrun.connect(look, weak=False)
    try:
        run(task, **said)
    finally:
        signals.task_postrun.disconnect(look)
    return states[0]


class Broken(Sampler):
    def should_sample(self, *args: object, **kwargs: object) -> Any:
        raise RuntimeError

    def get_description(self) -> str:
        return "broken"


class TestImports:
    """In a process of its own: what is imported when."""

    SCRIPT = """
        import sys
        from opentelemetry.sdk.trace import TracerProvider
        from telemetry.instrumentation import task_spans
        failures = []
        {before}
        task_spans.install(TracerProvider(), lambda where, error: failures.append(error))
        print("celery" in sys.modules, end=" ")
        {after}
        ours = sys.modules.get("telemetry.instrumentation.task_spans_celery")
        print(ours is not None and ours.CeleryInstrumentor().is_instrumented_by_opentelemetry, failures)
        """

    @pytest.mark.parametrize(
        ("before", "after", "found"),
        [
            ("", "", "False False []"),
            ("", "from celery import Celery; Celery()", "False True []"),
            ("", "from celery import group; from celery import Celery; Celery()", "False True []"),
            ("", "from celery import shared_task; shared_task(task_spans.uninstall).app", "False True []"),
            ("from celery import Celery; Celery()", "", "True True []"),
            ("", "import celery.bin.worker; import upstream.celery", "False True []"),
        ],
    )
    def test(self, before: str, after: str, found: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(self.SCRIPT).format(before=before, after=after)],
            cwd=CHECKOUT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert found == done.stdout.strip(), done.stderr

    def test_a_missing_instrumentation_is_no_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, task_spans_celery.__name__, None)
        monkeypatch.delattr("telemetry.instrumentation.task_spans_celery")
        with Tracing() as tracing:
            run(does)
        assert ([], []) == (tracing.spans(), tracing.failures)
