"""What is private is taken out of texts, statements, query strings, attributes and exceptions; the rest stays."""

from __future__ import annotations

import datetime
import json
import re
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from celery import exceptions
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from telemetry.instrumentation import _statements, privacy
from telemetry.instrumentation.privacy import REDACTED
from telemetry.sdk.cleaning import CleaningExporter

MASKED = f"/{REDACTED}"
SECRET = "s3cReT9xYz"
UUID = "550e8400-e29b-41d4-a716-446655440000"
Retry: Any = exceptions.Retry


@pytest.fixture(autouse=True)
def only_what_is_built_in() -> Iterator[None]:
    privacy.configure()
    yield
    privacy.configure()


class TestMasked:
    @pytest.mark.parametrize(
        "private",
        [
            "jane.roe+x@mail.example.com",
            "jane%40example.org",
            "jürgen@müller.example",
            "123-45-6789",
            "123 45 6789",
            "123%2045%206789",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111111111111111",
            "378282246310005",
            "3782 822463 10005",
        ],
    )
    def test_shapes(self, private: str) -> None:
        for before, after in [("", ""), ("to ", "."), ("/people/", "/"), ("x=", "&y=1"), ("'", "'")]:
            assert f"{before}{REDACTED}{after}" == privacy.masked(f"{before}{private}{after}")

    @pytest.mark.parametrize(
        "harmless",
        [
            "/items/7/",
            "2026-11-24T00:18:42.123456+00:00",
            "1764000000000000001",  # a time in nanoseconds
            "4111111111111112",  # the check digit is wrong
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "41111111-1111-1111-1111-111111111111",
            "127.0.0.1:8000",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
            "a@b",
            "+49 30 901820",
        ],
    )
    def test_leaves_the_rest(self, harmless: str) -> None:
        assert harmless == privacy.masked(harmless)

    def test_takes_the_projects_patterns_with_their_flags(self) -> None:
        privacy.configure(patterns=[re.compile(r"\bmrn-\d+", re.IGNORECASE), re.compile("acme")])
        assert f"{REDACTED} of {REDACTED} and ACME" == privacy.masked("MRN-4711 of acme and ACME")
        assert f"SELECT {REDACTED}" == privacy.sanitized("SELECT acme")


class TestSanitized:
    @pytest.mark.parametrize(
        ("sql", "shown"),
        [
            ("SELECT * FROM t WHERE a = 'x''y' AND b = 5", "SELECT * FROM t WHERE a = ? AND b = ?"),
            ("SELECT E'a\\'b', N'c', U&'d', x'ff', B'01'", "SELECT ?, ?, ?, ?, ?"),
            (r"SELECT a LIKE %s ESCAPE '\' AND b = 'c'", "SELECT a LIKE %s ESCAPE ? AND b = ?"),
            ("SELECT $$it's$$, $q$a$$b$q$, $1", "SELECT ?, ?, $1"),
            ("SELECT 1.5, .5, -2e-3, 0x1F, 1_000", "SELECT ?, .?, -?, ?, ?"),
            ("a IN (1, 'b', %s, %(name)s, :name, ?)", "a IN (?, ?, %s, %(name)s, :name, ?)"),
            ('SELECT "T1"."c 2", t3.c4 FROM "T1" LIMIT 21', 'SELECT "T1"."c 2", t3.c4 FROM "T1" LIMIT ?'),
            ("SELECT a::int4 FROM t WHERE NULL IS TRUE", "SELECT a::int4 FROM t WHERE NULL IS TRUE"),
            ("SELECT 1 -- jane\nFROM t /* roe */", "SELECT ?  \nFROM t"),
            ("SELECT'jane'", "SELECT?"),
            ("SELECT 'jane", "SELECT ?"),
            ("SELECT $x$jane", "SELECT ?"),
            ('SELECT "jane', "SELECT ?"),
            ("SELECT /* jane", "SELECT"),
            ("SELECT %('jane')s", "SELECT %(?)s"),
            ('SELECT a AS "jane@example.org"', f'SELECT a AS "{REDACTED}"'),
            ("", ""),
        ],
    )
    def test_shows_no_literal(self, sql: str, shown: str) -> None:
        assert shown == privacy.sanitized(sql)
        assert shown == privacy.sanitized(shown)

    def test_knows_the_dialects(self) -> None:
        assert r"SELECT ?, ?, `n1`" == privacy.sanitized(r"""SELECT 'a\'b', "jane", `n1` # roe""", "mysql").strip()
        nested = "/* a /* b */ 'c' */ SELECT 1"
        assert "SELECT ?" == privacy.sanitized(nested, "postgresql")
        assert "? */ SELECT ?" == privacy.sanitized(nested, "sqlite")

    def test_shows_no_more_than_the_beginning_of_a_long_text(self) -> None:
        long = "SELECT '" + "x" * _statements.LONGEST + "jane' FROM t"
        assert "SELECT ? ..." == privacy.sanitized(long)
        assert len(privacy.sanitized("a, " * 1_000_000)) <= _statements.LONGEST + 4

    def test_keeps_the_results_of_short_texts_only(self) -> None:
        _statements._seen.cache_clear()
        for sql in ("SELECT 1", "SELECT 1", "SELECT '" + "x" * 10_000 + "'"):
            privacy.sanitized(sql)
        kept = _statements._seen.cache_info()
        assert (1, 1, 1) == (kept.hits, kept.misses, kept.currsize)
        assert kept.maxsize is not None


class TestQuery:
    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("page=2&size=10", "page=2&size=10"),
            (
                "token=a&api-key=b&X_API_KEY=c&page=2",
                f"token={REDACTED}&api-key={REDACTED}&X_API_KEY={REDACTED}&page=2",
            ),
            ("pass%77ord=x", f"pass%77ord={REDACTED}"),
            ("user[password]=x", f"user[password]={REDACTED}"),
            ("customer=acme&q=jane+roe", f"customer={REDACTED}&q={REDACTED}"),
            ("next=jane%40example.org", f"next={REDACTED}"),
            ("a=123-45-6789", f"a={REDACTED}"),
            ("jane%40example.org=1", f"{REDACTED}=1"),
            ("bare", REDACTED),
            ("...", REDACTED),
            ("token=", "token="),
            ("a=b=c&&", "a=b=c&&"),
            ("x" * 100 + "=1", "x" * 100 + f"={REDACTED}"),
        ],
    )
    def test_redacts_values(self, given: str, shown: str) -> None:
        assert shown == privacy.query(given)

    def test_ends_somewhere_and_not_within_a_value(self) -> None:
        shown = privacy.query("a=1&" * 10_000)
        assert shown.endswith("&...")
        assert len(shown) < 2_100

    def test_takes_the_projects_names(self) -> None:
        privacy.configure(names=["Facility-Id"])
        assert f"facility_id={REDACTED}&page=2" == privacy.query("facility_id=7&page=2")
        privacy.configure(names=["*"])
        assert f"page={REDACTED}" == privacy.query("page=2")


class TestUrl:
    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("hooks.slack.com/services/T024BE7LD/B024BE7LH/Xa1RbXsHyZ2cGd3", f"hooks.slack.com/services{3 * MASKED}"),
            ("discord.com/api/webhooks/112233445566778899/a_B1-c2D3_e", f"discord.com/api/webhooks{2 * MASKED}"),
            ("api.telegram.org/bot110201543:AAHdqTcvCH1vGWJ/sendMessage", f"api.telegram.org{MASKED}/sendMessage"),
            ("hooks.zapier.com/hooks/catch/1234567/bx12yza/", f"hooks.zapier.com/hooks/catch/1234567{MASKED}/"),
            (f"x.webhook.office.com/webhookb2/{UUID}@{UUID}/IncomingWebhook/{32 * 'a'}",
             f"x.webhook.office.com/webhookb2{MASKED}/IncomingWebhook{MASKED}"),
            (f"h/{'Ab' * 40}/{'a' * 21}/{'x-' * 33}", f"h{3 * MASKED}"),
            ("h/members/123456789/jane%20roe", f"h/members{2 * MASKED}"),
            ("u:p@h:8443/api/v1/", "h:8443/api/v1/"),
            ("u:p@h", "h"),
        ],
    )  # fmt: skip
    def test_shows_no_part_of_a_path_that_may_be_a_secret(self, given: str, shown: str) -> None:
        assert f"https://{shown}" == privacy.url(f"https://{given}")
        assert f"https://{shown}" == privacy.url(f"https://{shown}")

    @pytest.mark.parametrize(
        "path",
        ["", "/", "/items/7/", "/API/v1/IncomingWebhook", "/2025-01-31/claims_20250131.csv", "/oauth2/token", "/a//b~c",
         "/documents:batchUpdate", "/sha256", "/1.0.12/", "/-/ready"],
    )  # fmt: skip
    def test_leaves_words_numbers_and_dates(self, path: str) -> None:
        assert f"http://h{path}" == privacy.url(f"http://h{path}")

    def test_of_ones_own_paths_nothing_but_shapes(self) -> None:
        assert "/reset/c3x1f2a9b/" == privacy.url("/reset/c3x1f2a9b/")

    def test_in_messages_where_those_are_allowed(self) -> None:
        privacy.configure(exception_messages=True)
        for quoted in (f"/hooks/{SECRET}?token={SECRET}", f"https://u:{SECRET}@h/hooks/{SECRET}", f"'/{SECRET}'"):
            told = privacy.attributes({"exception.message": f"Max retries exceeded with url: {quoted} (by {SECRET})"})
            assert "cReT" not in told["exception.message"]
        assert "a and/or b ?" == privacy.attributes({"exception.message": "a and/or b (c)"})["exception.message"]


class TestRetryReason:
    """As the stock instrumentation of Celery has it, from Celery itself."""

    @pytest.mark.parametrize(
        ("reason", "shown"),
        [
            (Retry(exc=ValueError("claim C-77 of jane"), when=3), "ValueError"),
            (Retry(exc=KeyError("jane"), when=datetime.datetime(2025, 1, 31, 12, 30)), "KeyError"),
            (Retry(exc="claim C-77 of jane", when=3), "Retry"),
            (Retry("claim C-77 of jane"), "Retry"),
            (Retry(when=3), "Retry"),
            ("LookupError", "LookupError"),
        ],
        ids=str,
    )
    def test_is_a_type(self, reason: object, shown: str) -> None:
        assert {"celery.retry.reason": shown} == privacy.attributes({"celery.retry.reason": str(reason)})

    def test_masked_where_messages_are_allowed(self) -> None:
        privacy.configure(exception_messages=True)
        reason = str(Retry(exc=ValueError("claim C-77 of jane"), when=3))
        assert "Retry in ?s: ValueError?" == privacy.attributes({"celery.retry.reason": reason})["celery.retry.reason"]


class TestAttributes:
    def test_are_cleaned_by_what_they_are(self) -> None:
        found = {
            "http.request.header.authorization": ["Bearer s3cret"],
            "http.request.header.cookie": ["s3cret"],
            "http.request.header.x-api-key": ["s3cret"],
            "http.response.header.set_cookie": ["s3cret"],
            "http.request.header.referer": ["https://u:s3cret@h/p?token=s3cret#s3cret"],
            "http.request.header.accept": ["text/html"],
            "http.response.header.content_location": ["/p?token=s3cret"],
            "url.full": "https://h/p?token=s3cret",
            "http.target": "/p?token=s3cret",
            "url.query": "token=s3cret",
            "db.statement": "SELECT 's3cret'",
            "db.query.text": 'SELECT "s3cret"',
            "db.system.name": "mysql",
            "db.query.parameter.0": "s3cret",
            "db.statement.parameters": "('s3cret',)",
            "exception.message": "s3cret",
            "mixed": ["jane@example.org", 1, None],
            "number": 4111111111111111,
        }
        shown = privacy.attributes(found)
        assert "s3cret" not in repr(shown)
        assert {
            "http.request.header.referer": [f"https://h/p?token={REDACTED}"],
            "http.request.header.accept": ["text/html"],
            "http.response.header.content_location": [f"/p?token={REDACTED}"],
            "url.full": f"https://h/p?token={REDACTED}",
            "http.target": f"/p?token={REDACTED}",
            "url.query": f"token={REDACTED}",
            "db.statement": "SELECT ?",
            "db.query.text": "SELECT ?",
            "db.system.name": "mysql",
            "mixed": [REDACTED, 1, None],
            "number": 4111111111111111,
        } == shown
        assert shown == privacy.attributes(shown)

    def test_of_the_projects_names_are_redacted(self) -> None:
        privacy.configure(names=["member_id", "http.route"])
        shown = privacy.attributes({"shop.memberId": "jane", "member-id": 7, "http.route": "x/", "member": "m"})
        assert {"shop.memberId": REDACTED, "member-id": REDACTED, "http.route": REDACTED, "member": "m"} == shown


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


class TestCleaningExporter:
    def test_lets_nothing_private_of_other_peoples_spans_out(self) -> None:
        kept, gone = InMemorySpanExporter(), InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(kept))
        provider.add_span_processor(SimpleSpanProcessor(CleaningExporter(gone, privacy, unexpected)))
        tracer = provider.get_tracer("somebody")
        with (
            pytest.raises(ValueError, match="s3cret"),
            tracer.start_as_current_span("to jane@example.org", attributes={"db.statement": "SELECT 's3cret'"}) as span,
        ):
            span.add_event("mail to jane@example.org", {"to": "jane@example.org"})
            raise ValueError("s3cret\nDETAIL:  Key (name)=(s3cret)")
        (before,), (after,) = kept.get_finished_spans(), gone.get_finished_spans()
        assert {"s3cret", "jane"} == set(re.findall("s3cret|jane", before.to_json()))
        assert [] == re.findall("s3cret|jane", after.to_json())
        left, right = json.loads(before.to_json()), json.loads(after.to_json())
        same = ("context", "kind", "parent_id", "start_time", "end_time", "links", "resource")
        assert {name: left[name] for name in same} == {name: right[name] for name in same}
        assert ["mail to " + REDACTED, "exception"] == [event.name for event in after.events]
        assert ("ERROR", "ValueError") == (after.status.status_code.name, after.status.description)
        assert (before.instrumentation_scope, before.dropped_attributes) == (
            after.instrumentation_scope,
            after.dropped_attributes,
        )

    def test_describes_an_error_by_the_last_exception_that_was_recorded(self) -> None:
        gone = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(CleaningExporter(gone, privacy, unexpected)))
        with provider.get_tracer("somebody").start_as_current_span("work") as span:
            span.record_exception(KeyError("s3cret"))
            span.record_exception(ValueError("s3cret"))
            span.add_event("ended", {"exception.type": "no"})
            span.set_status(StatusCode.ERROR, "Jane Roe was not found")
        assert ["ValueError"] == [span.status.description for span in gone.get_finished_spans()]

    def test_keeps_a_span_in_that_it_cannot_clean(self) -> None:
        class Broken:
            masked = staticmethod(privacy.masked)
            description = staticmethod(privacy.description)

            def attributes(self, found: Any) -> dict[str, Any]:
                if "bad" in found:
                    raise RuntimeError("broken")
                return dict(found)

        told: list[str] = []
        gone = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        exporter = CleaningExporter(gone, Broken(), lambda where, error: told.append(f"{where}: {error}"))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        for name in ("bad", "good"):
            provider.get_tracer("somebody").start_span(name, attributes={name: 1}).end()
        assert (["good"], ["spans.clean: broken"]) == ([span.name for span in gone.get_finished_spans()], told)


def unexpected(where: str, error: BaseException) -> None:
    raise AssertionError(where) from error
