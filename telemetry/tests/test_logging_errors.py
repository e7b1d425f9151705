"""Messages of exceptions are in no log record, as far as they can be found."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from telemetry.instrumentation import privacy
from telemetry.logging import JsonFormatter
from telemetry.tests.logged import configured, logger, shown, written


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    with configured() as stream:
        yield stream


class TestExceptions:
    """Messages of exceptions are in no field, whoever puts them there, as far as that can be seen."""

    @pytest.mark.parametrize(
        ("message", "args", "shown_as"),
        [
            ("failed: %s", (ValueError("s3cret\nDETAIL: s3cret"),), "failed: ValueError"),
            ("failed: %r", (ValueError("s3cret"),), "failed: ValueError"),
            ("failed: %s", ([1, {"a": (ValueError("s3cret"),)}],), "failed: [1, {'a': (ValueError,)}]"),
            ("failed: %(why)s of %(n)d", ({"why": ValueError("s3cret"), "n": 2},), "failed: ValueError of 2"),
            (ValueError("s3cret"), (), "ValueError"),
        ],
    )
    def test_as_arguments_or_as_the_message(
        self, stream: io.StringIO, message: object, args: tuple[object, ...], shown_as: str
    ) -> None:
        logger.error(message, *args)
        (found,) = written(stream)
        assert shown_as == found["message"]
        assert "s3cret" not in stream.getvalue()

    def test_in_what_is_nested_too_deep_to_be_looked_into(self) -> None:
        deep: Any = ValueError("s3cret")
        for _ in range(10):
            deep = [deep]
        assert "s3cret" not in shown(msg="%s", args=(deep,), deep=deep)["message"]

    def test_of_those_that_are_false(self) -> None:
        class Empty(Exception):
            def __len__(self) -> int:
                return 0

        assert "s3cret" not in shown(msg="failed: %s", args=(Empty("s3cret"),))["message"]

    def test_leave_the_record_to_other_handlers_as_it_was(self) -> None:
        error = ValueError("s3cret")
        record = logging.makeLogRecord({"msg": "failed: %s", "args": (error,)})
        JsonFormatter().format(record)
        assert (error,) == record.args
        assert "failed: s3cret" == record.getMessage()

    def test_in_texts_that_were_made_while_it_is_handled(self, stream: io.StringIO) -> None:
        try:
            try:
                raise KeyError("s3cret of jane")
            except KeyError as error:
                raise ValueError("s3cret\nof roe") from error
        except ValueError as error:
            logger.warning(f"failed: {error}, {error.__cause__!r}", extra={"detail": str(error), "deep": [repr(error)]})
            logger.exception(f"failed: {error}")
            kept = error
        logger.error(f"failed later: {kept}", exc_info=kept)
        first, second, third = written(stream)
        assert "failed: ValueError, KeyError" == first["message"]
        assert ("ValueError", ["ValueError"]) == (first["detail"], first["deep"])
        assert ("failed: ValueError", "failed later: ValueError") == (second["message"], third["message"])
        assert "s3cret" not in stream.getvalue()

    def test_are_shown_masked_where_that_is_allowed(self, stream: io.StringIO) -> None:
        privacy.configure(exception_messages=True)
        try:
            logger.error("failed: %s", ValueError("no 's3cret' of jane@example.org"))
        finally:
            privacy.configure()
        assert f"failed: ValueError: no ? of {privacy.REDACTED}" == written(stream)[0]["message"]

    def test_are_told_of_those_that_cannot_be_told(self) -> None:
        class Broken(Exception):
            def __str__(self) -> str:
                raise RuntimeError

            __repr__ = __str__

        assert shown(msg="failed: %s", args=(Broken(),), exc_info=(Broken, Broken(), None))["message"].endswith(
            "Broken"
        )
