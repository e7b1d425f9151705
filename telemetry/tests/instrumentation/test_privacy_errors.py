"""Of exceptions are told types, files, lines and functions, and no message."""

from __future__ import annotations

import re
import traceback
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.instrumentation import privacy
from telemetry.instrumentation.privacy import REDACTED

pytestmark = pytest.mark.usefixtures("only_what_is_built_in")


def chain() -> BaseException:
    try:
        try:
            int("s3cret")
        except ValueError as error:
            raise KeyError("s3cret") from error
    except KeyError as error:
        error.add_note("s3cret")
        return error
    raise AssertionError


class TestStack:
    def test_tells_files_lines_functions_and_types(self) -> None:
        lines = privacy.stack(chain()).splitlines()
        assert ["ValueError", "KeyError"] == [line for line in lines if re.fullmatch(r"\w+Error", line)]
        expected = re.findall(r'  File ".*", line \d+, in \w+', "".join(traceback.format_exception(chain())))
        assert expected == [line for line in lines if line.startswith("  File")]
        assert "s3cret" not in repr(lines)

    def test_is_the_same_made_from_pythons_own(self) -> None:
        formatted = "".join(traceback.format_exception(chain()))
        assert "s3cret" in formatted
        assert privacy.stack(chain()).splitlines() == list(privacy.frames(formatted))
        assert privacy.stack(chain()).splitlines() == list(privacy.frames(privacy.stack(chain())))

    def test_shows_no_line_of_a_message(self) -> None:
        try:
            raise ValueError("first s3cret\ns3cret\nDETAIL: s3cret")
        except ValueError as error:
            formatted = "".join(traceback.format_exception(error))
        assert "s3cret" not in "\n".join(privacy.frames(formatted))

    def test_knows_types_that_are_made_in_functions(self) -> None:
        class Local(Exception):
            pass

        try:
            raise Local("first s3cret\nJane: s3cret\nRoe")
        except Local as error:
            formatted, made = "".join(traceback.format_exception(error)), privacy.stack(error).splitlines()
        assert made == list(privacy.frames(formatted)) == list(privacy.frames("\n".join(made)))
        assert made[-1].endswith("<locals>.Local")

    def test_takes_no_line_for_a_type_but_the_one_behind_the_frames(self) -> None:
        assert [] == list(privacy.frames("(what it was)\nJane: s3cret\nRoe"))

    def test_tells_what_a_group_holds(self) -> None:
        stack = privacy.stack(ExceptionGroup("s3cret", [ValueError("s3cret"), KeyError("s3cret")]))
        assert ["ExceptionGroup", "ValueError", "KeyError"] == stack.splitlines()

    def test_ends_for_recursions_and_circles(self) -> None:
        def deeper() -> None:
            deeper()

        try:
            deeper()
        except RecursionError as error:
            error.__context__ = error
            assert len(privacy.stack(error).splitlines()) < 110


class TestRecord:
    @staticmethod
    def record(error: BaseException) -> Any:
        exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("test").start_as_current_span("work") as span:
            privacy.record(span, error)
        return exporter.get_finished_spans()[0]

    def test_leaves_the_message_out(self) -> None:
        span = self.record(chain())
        assert "s3cret" not in span.to_json()
        assert ("ERROR", "KeyError") == (span.status.status_code.name, span.status.description)
        assert "KeyError" == span.events[0].attributes["exception.type"]

    def test_masks_it_where_messages_are_allowed(self) -> None:
        privacy.configure(exception_messages=True)
        span = self.record(ValueError('Key (email)=(s3cret) exists: "s3cret", jane@example.org, 4711'))
        assert f"ValueError: Key ?=? exists: ?, {REDACTED}, ?" == span.status.description
        assert f"Key ?=? exists: ?, {REDACTED}, ?" == span.events[0].attributes["exception.message"]


class TestDescription:
    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("ValueError: s3cret", "ValueError"),
            ("IntegrityError: duplicate key\nDETAIL:  Key (name)=(s3cret) already exists.", "IntegrityError"),
            ("psycopg2.errors.UniqueViolation: s3cret\ns3cret", "psycopg2.errors.UniqueViolation"),
            ("shop.f.<locals>.E: s3cret\rs3cret", "shop.f.<locals>.E"),
            ("f.<locals>.<lambda>.<locals>.E: s3cret", "f.<locals>.<lambda>.<locals>.E"),
            ("ValueError:", "ValueError"),
            ("The client went away.", "The client went away."),
            ("jane@example.org went away", f"{REDACTED} went away"),
        ],
    )
    def test_is_the_type_where_there_is_one(self, given: str, shown: str) -> None:
        assert shown == privacy.description(given)

    @pytest.mark.parametrize(
        ("given", "error", "shown"),
        [
            ("Jane Roe was not found", "LookupError", "LookupError"),
            ("Jane: not found", "shop.models.f.<locals>.NotFound", "NotFound"),
            ("('s3cret',)\ns3cret", "ValueError", "ValueError"),
        ],
    )
    def test_is_the_type_of_the_event_that_tells_it(self, given: str, error: str, shown: str) -> None:
        assert shown == privacy.description(given, error)

    def test_is_masked_where_messages_are_allowed(self) -> None:
        privacy.configure(exception_messages=True)
        assert f"ValueError: ? of {REDACTED}" == privacy.description("ValueError: 's3cret' of jane@a.org", "ValueError")
