"""Messages of exceptions are in no log record, as far as they can be found."""

from __future__ import annotations

import io
import logging
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from telemetry.instrumentation import privacy
from telemetry.logging import JsonFormatter
from telemetry.tests.logged import configured, logger, shown, written


class Pair(NamedTuple):
    """As arguments are, that are no plain tuples."""

    left: object
    right: object


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
            ("failed: %s", (Pair(ValueError("s3cret"), 1),), "failed: (ValueError, 1)"),
            ("failed: %s", (defaultdict(int, {ValueError("s3cret"): 1}),), "failed: {ValueError: 1}"),
            ("failed: %s", (deque([ValueError("s3cret")]),), "failed: deque([ValueError])"),
            ("kept: %s", (Pair(1, 2),), "kept: Pair(left=1, right=2)"),
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


class Broken:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("s3cret")

    __repr__ = __str__


class Mute(dict[str, int]):
    """Does not say what is in it."""

    def items(self) -> Any:
        raise RuntimeError


class TestWhatCannotBeTold:
    """A record whose parts cannot be told is written all the same: logging would print it as it is."""

    def test_of_what_extra_gave(self) -> None:
        found = shown(msg="written", tree={Broken(): 1}, mapping=Mute(a=1), number=10**5000, numbers=[2**64, 2**4096])
        assert "written" == found["message"]
        assert "<builtins.dict>" == found["tree"]
        assert found["mapping"].endswith(".Mute>")
        assert "<builtins.int>" == found["number"]
        assert [2**64, "<builtins.int>"] == found["numbers"]

    @pytest.mark.parametrize("name", ["shop", "celery.app.trace"])
    def test_as_the_message(self, name: str) -> None:
        found = shown(name=name, msg=Broken(), data={"id": "1", "name": "bill"}, kept="yes")
        assert f"<{__name__}.Broken>" == found["message"]
        assert "yes" == found["kept"]

    def test_as_a_statement(self) -> None:
        assert "yes" == shown(name="django.db.backends", msg="", sql=Broken(), kept="yes")["kept"]

    def test_among_arguments_leaves_the_template(self) -> None:
        assert "failed: %s" == shown(msg="failed: %s", args=(Mute(),))["message"]
