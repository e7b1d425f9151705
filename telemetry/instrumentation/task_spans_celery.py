"""Spans of Celery's tasks: where one is sent, and where it runs, in the sender's trace. Imported only where Celery is.

Names, kinds, parents and attributes are those of `opentelemetry-instrumentation-celery`. The stock code ends the span
of a sending when the message is out: with a broker that is away it stays the current one for ever. Messages of
exceptions are not told here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery
from opentelemetry.context import Context, attach, create_key, detach, get_current, get_value, set_value
from opentelemetry.instrumentation import celery as stock
from opentelemetry.instrumentation.celery import utils
from opentelemetry.instrumentation.utils import unwrap
from opentelemetry.propagate import extract, inject
from opentelemetry.semconv._incubating.attributes.messaging_attributes import MESSAGING_MESSAGE_ID
from opentelemetry.trace import Span, SpanKind, TracerProvider, get_current_span
from opentelemetry.trace.propagation import set_span_in_context
from wrapt import wrap_function_wrapper

from telemetry.instrumentation import privacy
from telemetry.instrumentation._in_place import InPlace, goes_elsewhere, stand_in
from telemetry.instrumentation._stock import NO_METERS, is_in
from telemetry.instrumentation.drivers._sampling import answers
from telemetry.instrumentation.tasks._recorder import name_of

_Stock: Any = stock.CeleryInstrumentor
_SENDING = create_key("telemetry-task-sending")

Failed = Callable[[str, BaseException], None]
_Entered = tuple[Span, Any]
"""A span, and the token to be given back for its being the current one."""

_runs: WeakKeyDictionary[Any, _Entered | tuple[None, Any]] = WeakKeyDictionary()
"""By their requests; without a span the token is that of the sender's context. Not on the requests: what Celery does
not know there, it may take for a header of the next try."""


def instrument(tracer_provider: TracerProvider | None, failed: Failed) -> Any:
    """Trace tasks, in the place of the stock instrumentor; ours.

    None where that one stays: it has been given a tracer provider of its own, or makes links.
    """
    ours = CeleryInstrumentor()
    if is_in(_Stock):
        theirs = _Stock()
        if goes_elsewhere(theirs._tracer, tracer_provider) or theirs._use_span_links:
            return None
        theirs.uninstrument()
    ours.instrument(tracer_provider=tracer_provider, failed=failed)
    stand_in(_Stock, ours)
    return ours


def _guarded(receive: Callable[..., None]) -> Callable[..., None]:
    where = f"spans.tasks.{receive.__name__.removeprefix('_trace_')}"

    @wraps(receive)
    def receiver(self: Any, *args: object, **named: Any) -> None:
        try:
            receive(self, **named)
        except Exception as error:  # noqa: BLE001
            self._failed(where, error)

    return receiver


class CeleryInstrumentor(InPlace, _Stock):  # type: ignore[misc]
    """The stock instrumentor's place, and its receivers by our own; what fails in them loses a span, never a task."""

    _failed: Failed

    def _instrument(self, *, failed: Failed, **kwargs: Any) -> None:
        self._failed = failed
        super()._instrument(**kwargs, meter_provider=NO_METERS)
        _, self._drops_unsampled = answers(getattr(self._tracer, "sampler", None))
        wrap_function_wrapper(Celery, "send_task", self._send)

    def _uninstrument(self, **kwargs: Any) -> None:
        super()._uninstrument(**kwargs)
        unwrap(Celery, "send_task")

    def _send(self, call: Callable[..., Any], app: object, args: Any, kwargs: Any) -> Any:
        sending = self._begin(args[0] if args else kwargs.get("name"))
        try:
            sent = call(*args, **kwargs)
        except BaseException as error:
            self._end(sending, error)
            raise
        self._end(sending, None)
        return sent

    def _is_dropped(self, context: Context | None) -> bool:
        """Whether a span in this context is known not to be sampled, so that none need be made."""
        parent = get_current_span(context).get_span_context()
        return self._drops_unsampled and parent.is_valid and not parent.trace_flags.sampled

    def _begin(self, name: object) -> _Entered | None:
        try:
            if self._is_dropped(None):
                return None
            span = self._tracer.start_span(f"{stock._TASK_APPLY_ASYNC}/{name}", kind=SpanKind.PRODUCER)
            return span, attach(set_value(_SENDING, span, set_span_in_context(span)))
        except Exception as error:  # noqa: BLE001
            self._failed("spans.tasks.send", error)
            return None

    def _end(self, sending: _Entered | None, error: BaseException | None) -> None:
        if sending is None:
            return
        span, token = sending
        try:
            detach(token)
            if isinstance(error, Exception) and span.is_recording():
                privacy.record(span, error, escaped=True)
        except Exception as problem:  # noqa: BLE001
            self._failed("spans.tasks.send", problem)
        self._close(span)

    def _close(self, span: Span) -> None:
        try:
            span.end()
        except Exception as problem:  # noqa: BLE001
            self._failed("spans.tasks.end", problem)

    @_guarded
    def _trace_before_publish(self, *, sender: object = None, headers: Any = None, **named: Any) -> None:
        if headers:
            inject(headers)
        span: Any = get_value(_SENDING)
        if span is not None and span.is_recording():
            span.set_attribute(stock._TASK_TAG_KEY, stock._TASK_APPLY_ASYNC)
            span.set_attribute(stock._TASK_NAME_KEY, str(sender))
            task_id = utils.retrieve_task_id_from_message({"headers": headers, **named})
            if task_id is not None:
                span.set_attribute(MESSAGING_MESSAGE_ID, task_id)
            utils.set_attributes_from_context(span, named)

    def _trace_after_publish(self, *args: object, **named: object) -> None:
        """The span ends with `send_task`, whether the message went out or not."""

    @_guarded
    def _trace_prerun(self, *, task: Any, **_: object) -> None:
        sender = extract(task.request, getter=stock.celery_getter) or None
        if self._is_dropped(sender):
            _runs[task.request] = None, attach(sender or get_current())
            return
        span = self._tracer.start_span(f"{stock._TASK_RUN}/{task.name}", context=sender, kind=SpanKind.CONSUMER)
        _runs[task.request] = span, attach(set_span_in_context(span, sender))

    @_guarded
    def _trace_postrun(self, *, task: Any, **named: Any) -> None:
        run = _runs.pop(task.request, None)
        if run is None:
            return
        span, token = run
        detach(token)
        if span is None:
            return
        try:
            if span.is_recording():
                span.set_attribute(stock._TASK_TAG_KEY, stock._TASK_RUN)
                span.set_attribute(stock._TASK_NAME_KEY, task.name)
                utils.set_attributes_from_context(span, named)
                utils.set_attributes_from_context(span, task.request)
        finally:
            self._close(span)

    @_guarded
    def _trace_failure(self, *, sender: Any, exception: BaseException, **_: object) -> None:
        span = _running(sender)
        # Those that a task says it throws are no errors of it.
        if span is not None and not isinstance(exception, sender.throws or ()):
            privacy.record(span, exception)

    @_guarded
    def _trace_retry(self, *, sender: Any, reason: Any = None, **_: object) -> None:
        span = _running(sender)
        # A worker that cancels a run gives none.
        if span is not None and reason is not None:
            span.set_attribute(stock._TASK_RETRY_REASON_KEY, name_of(getattr(reason, "exc", None) or reason))


def _running(task: Any) -> Span | None:
    """The recording span of the run that this process makes of a task."""
    run = _runs.get(task.request)
    span = None if run is None else run[0]
    return span if span is not None and span.is_recording() else None
