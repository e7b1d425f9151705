"""When a query has a span, and what is in it.

Names, kind, parents, attributes, events and status are those of the stock instrumentors
(opentelemetry-instrumentation-dbapi) in the stable conventions; what is meant to differ is listed in
the differential test. Where no span is to be recorded, next to nothing is done.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach
from opentelemetry.instrumentation import _semconv, dbapi
from opentelemetry.instrumentation.utils import _SUPPRESS_INSTRUMENTATION_KEY_PLAIN
from opentelemetry.trace import NonRecordingSpan, Span, TracerProvider, get_tracer
from opentelemetry.trace.propagation import set_span_in_context

from telemetry.instrumentation import _rules, privacy
from telemetry.instrumentation._current import SPAN_KEY, context
from telemetry.instrumentation._stock import DATABASE, DATABASE_SCHEMA, HTTP, NO_METERS, conventions
from telemetry.instrumentation.drivers._children import shared, starter
from telemetry.instrumentation.drivers._sampling import answers

_FIRST_WORD = re.compile(r"[\s(]*+([A-Za-z]++)(?![\w$])")
_COPY = "COPY"
_STATEMENTS, _LONGEST = 512, 4096
"""How many statements' attributes are kept for the next time, and of how many characters."""
_DATABASES = 64
"""For how many databases, as their connections tell them, they are kept."""

_logger = logging.getLogger("telemetry")
_logged: set[str] = set()

Failed = Callable[[str, BaseException], None]
"""Is told where a span was lost, and why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the stock instrumentors take beside the provider, in their words."""

    enable_commenter: bool = False
    commenter_options: Mapping[str, Any] | None = None
    enable_attribute_commenter: bool = False
    capture_parameters: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Those among the words given; the others say what is not ours to do."""
        return cls(**{each.name: given[each.name] for each in fields(cls) if each.name in given})


Query = tuple[Span, Any]
"""A query that runs: its span, and the token to be given back where that is the current one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """The name of a span whose query has none, and the attributes that are the same for all on a connection."""

    name: str
    attributes: Mapping[str, Any]


def log_once(where: str, error: BaseException) -> None:
    """One log record for each place where spans are lost."""
    if where not in _logged:
        _logged.add(where)
        _logger.error("telemetry: %s failed, a span is lost; logged once", where, exc_info=error)


class Tracing:
    """The spans of one driver's queries; `stock` is the module of its stock instrumentation."""

    def __init__(
        self, stock: Any, driver: Any, system: str, provider: TracerProvider | None, options: Options, failed: Failed
    ) -> None:
        tracer = get_tracer(stock.__name__, stock.__version__, provider, DATABASE_SCHEMA)
        self._start = starter(tracer)
        self.drops_all, self._drops_unsampled = answers(getattr(tracer, "sampler", None))
        self._options = options
        self._plain = not (options.enable_commenter or options.capture_parameters)
        self._system = system
        mode = conventions(DATABASE)
        self._stable, self._old = _semconv._report_new(mode), _semconv._report_old(mode)
        self._facts: WeakKeyDictionary[Any, _Facts] = WeakKeyDictionary()
        self._same: dict[Any, _Facts] = {}
        self._no_facts = self._known(None)
        self._rules = _rules.current
        self._told = lru_cache(_STATEMENTS)(self._tell)
        self._made = lru_cache(_STATEMENTS)(self._make)
        self._failed = failed
        # The stock tracer is asked for what is neither text nor composed of texts, and for sqlcommenter's comments.
        self._stock: Any = dbapi.CursorTracer(
            dbapi.DatabaseApiIntegration(
                stock.__name__,
                system,
                enable_commenter=options.enable_commenter,
                commenter_options=dict(options.commenter_options or {}),
                connect_module=driver,
                tracer_provider=provider,
                meter_provider=NO_METERS,
            )
        )

    def silent(self) -> bool:
        """Whether a query that begins now has no span for sure."""
        found = context()
        if not found:
            return False
        if self._drops_unsampled:
            span = found.get(SPAN_KEY)
            if type(span) is NonRecordingSpan:
                parent = span.get_span_context()
                if not parent.trace_flags & 1 and parent.is_valid:
                    return True
        return bool(found.get(_SUPPRESS_INSTRUMENTATION_KEY) or found.get(_SUPPRESS_INSTRUMENTATION_KEY_PLAIN))

    def begin(
        self, cursor: Any, args: Any, kwargs: Mapping[str, Any], *, current: bool = True
    ) -> tuple[Query | None, Any]:
        """Start a query's span, and the arguments to execute with; no span where that fails. Never raises.

        `current` makes it the current span until `end`.
        """
        query = None
        try:
            given = args[0] if args else kwargs.get("query") or kwargs.get("statement") or ""
            text = given if type(given) is str else self._text(cursor, given, args)
            if self._rules is not _rules.current:
                self._rules = _rules.current
                self._told.cache_clear()
                self._made.cache_clear()
            facts = self._facts_of(cursor)
            name, attributes = self._made(text, facts) if len(text) <= _LONGEST else self._make(text, facts)
            query = self._begin(name, attributes, current)
            if not self._plain and args and query[0].is_recording():
                args = self._extra(query[0], cursor, args)
        except Exception as error:  # noqa: BLE001
            self._failed("spans.query", error)
        return query, args

    def begin_copy(self, cursor: Any) -> Query | None:
        """Start the span of a COPY whose statement the driver makes by itself. Never raises."""
        try:
            told = {"db.operation.name": _COPY} if self._stable else {}
            return self._begin(_COPY, {**self._facts_of(cursor).attributes, **told}, True)
        except Exception as error:  # noqa: BLE001
            self._failed("spans.query", error)
            return None

    def end(self, query: Query | None, error: BaseException | None) -> None:
        """The query has ended, by `error` if there is one. Never raises."""
        if query is None:
            return
        span, token = query
        try:
            if token is not None:
                detach(token)
            if error is not None and isinstance(error, Exception) and span.is_recording():
                if self._stable:
                    span.set_attribute("error.type", type(error).__qualname__)
                privacy.record(span, error)
        except Exception as problem:  # noqa: BLE001
            self._failed("spans.query", problem)
        try:
            span.end()
        except Exception as problem:  # noqa: BLE001
            self._failed("spans.query", problem)

    def _begin(self, name: str, attributes: Mapping[str, Any], current: bool) -> Query:
        around = context()
        span = self._start(name, around, attributes)
        return span, attach(set_span_in_context(span, around)) if current else None

    def _make(self, text: str, facts: _Facts) -> tuple[str, Mapping[str, Any]]:
        """The name and the attributes of a statement's spans on these connections."""
        name, told = self._told(text) if len(text) <= _LONGEST else self._tell(text)
        return name or facts.name, shared({**facts.attributes, **told})

    def _tell(self, text: str) -> tuple[str, dict[str, Any]]:
        """The span's name and the attributes that a statement gives, under the present rules of privacy."""
        shown = privacy.sanitized(text, self._system)
        found = _FIRST_WORD.match(shown)
        name = "" if found is None else found[1]
        told: dict[str, Any] = {}
        if name and self._stable:
            told["db.operation.name"] = name
        self._show(told, shown)
        return name, told

    def _extra(self, span: Span, cursor: Any, args: Any) -> Any:
        """The arguments with sqlcommenter's comment; the span is the current one, which the comment names."""
        if self._options.capture_parameters and len(args) > 1:
            span.set_attribute("db.statement.parameters", str(args[1]))
        if self._options.enable_commenter:
            args = self._stock._update_args_with_added_sql_comment(args, cursor)
            if self._options.enable_attribute_commenter and isinstance(args[0], str):
                _, slash, comment = args[0].rpartition("/*")
                shown: dict[str, Any] = {}
                # A driver halves the signs of percent, whose doubles hide what is private.
                comment = privacy.masked(comment.replace("%%", "%"))
                self._show(shown, privacy.sanitized(args[0], self._system) + slash + comment)
                span.set_attributes(shown)
        return args

    def _show(self, attributes: dict[str, Any], shown: str) -> None:
        if self._stable:
            attributes["db.query.text"] = shown
        if self._old:
            attributes["db.statement"] = shown

    def _text(self, cursor: Any, query: Any, args: Any) -> str:
        if hasattr(query, "as_string"):
            query = query.as_string(cursor)
        elif not isinstance(query, (str, bytes)):
            query = self._stock.get_statement(cursor, args)
        return query.decode("utf-8", "replace") if isinstance(query, bytes) else str(query)

    def _facts_of(self, cursor: Any) -> _Facts:
        if self._system == "sqlite":
            return self._no_facts
        connection = cursor.connection
        found = self._facts.get(connection)
        if found is None:
            try:
                found = self._facts[connection] = self._known(connection.info)
            except Exception:  # noqa: BLE001  # the connection is closed
                return self._no_facts
        return found

    def _known(self, info: Any) -> _Facts:
        mode, server_mode = conventions(DATABASE), conventions(HTTP)
        known: dict[str, Any] = {}
        _semconv._set_db_system(known, self._system, mode)
        if info is None:
            return _Facts(self._system, known)
        _semconv._set_db_name(known, info.dbname, mode)
        if info.user:
            _semconv._set_db_user(known, info.user, mode)
        if info.host:
            _semconv._set_http_net_peer_name_client(known, info.host, server_mode)
        if info.port:
            _semconv._set_http_peer_port_client(known, info.port, server_mode)
        facts = _Facts(info.dbname or self._system, known)
        # Connections come and go; what is kept of statements is to outlast them.
        same = (facts.name, *known.items())
        return self._same.setdefault(same, facts) if len(self._same) < _DATABASES else self._same.get(same, facts)
