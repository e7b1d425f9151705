"""What is private is taken out of texts and statements; the rest stays."""

from __future__ import annotations

import re

import pytest

from telemetry.instrumentation import _statements, privacy
from telemetry.instrumentation.privacy import REDACTED

pytestmark = pytest.mark.usefixtures("only_what_is_built_in")


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
            "4111.1111.1111.1111",
            "4111%201111%201111%201111",
            "4111%2D1111%2D1111%2D1111",
            "4111+1111+1111+1111",
            "3782%20822463%2010005",
            "123%2D45%2d6789",
            "123+45+6789",
            '"jane roe"@example.org',
            "%22jane%20roe%22%40example.org",
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
            '"jane" at "example.org"',
            "4111.1111-1111 1111",
            "10.0.0.1 2025.01.31 1.2.3.4",
            "+49 30 901820",
        ],
    )
    def test_leaves_the_rest(self, harmless: str) -> None:
        assert harmless == privacy.masked(harmless)

    def test_takes_no_longer_for_hostile_texts(self) -> None:
        for hostile in ('"' * 200_000, "4111-" * 50_000, "a@" * 100_000, '"a' * 100_000, "%22" * 100_000):
            assert privacy.masked(hostile)

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
            ('SELECT "T1"."c2", t3.c4 FROM "T1" LIMIT 21', 'SELECT "T1"."c2", t3.c4 FROM "T1" LIMIT ?'),
            ('SELECT "Jane Roe", "it""s", ""', "SELECT ?, ?, ?"),
            ("SELECT \u0661\u0662\u0663, \uff11\uff12, 1\u0662", "SELECT ?, ?, ?"),
            ("a = %(jane roe)s AND b = %(jane)s AND c = d %(e) + 1", "a = ? AND b = %(jane)s AND c = d %(e) + ?"),
            ("SELECT a::int4 FROM t WHERE NULL IS TRUE", "SELECT a::int4 FROM t WHERE NULL IS TRUE"),
            ("SELECT 1 -- jane\nFROM t /* roe */", "SELECT ?  \nFROM t"),
            ("SELECT'jane'", "SELECT?"),
            ("SELECT 'jane", "SELECT ?"),
            ("SELECT $x$jane", "SELECT ?"),
            ('SELECT "jane', "SELECT ?"),
            ("SELECT /* jane", "SELECT"),
            ("SELECT %('jane')s", "SELECT ?"),
            ('SELECT a AS "jane@example.org"', "SELECT a AS ?"),
            ("SELECT a AS `jane@example.org`", f"SELECT a AS `{REDACTED}`"),
            ("", ""),
        ],
    )
    def test_shows_no_literal(self, sql: str, shown: str) -> None:
        assert shown == privacy.sanitized(sql)
        assert shown == privacy.sanitized(shown)

    def test_knows_the_dialects(self) -> None:
        assert r"SELECT ?, ?, `n1`" == privacy.sanitized(r"""SELECT 'a\'b', "jane", `n1` # roe""", "mysql").strip()
        assert 'SELECT "c 2", a AS "it""s"' == privacy.sanitized('SELECT "c 2", a AS "it""s"', "postgresql")
        assert "SELECT ?" == privacy.sanitized('SELECT "Jane Roe"', "sqlite")
        assert 'SELECT "a_b$2"' == privacy.sanitized('SELECT "a_b$2"', "sqlite")
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


class TestProse:
    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("no URL? (none) = fine", "no URL? (none) = fine"),
            ("could not fetch https://h/x?token=s3cret.", f"could not fetch https://h/x?token={REDACTED}."),
            ('"GET /x?token=s3cret HTTP/1.1" 200', f'"GET /x?token={REDACTED} HTTP/1.1" 200'),
            ("(postgres://u:s3cret@h/db), https://h/a#s3cret", "(postgres://h/db), https://h/a"),
            ("<https://h/x?q=s3cret>; rel", f"<https://h/x?q={REDACTED}>; rel"),
            ("to https://hooks.example/T00/9f8e7d6c5b4a3", f"to https://hooks.example/T00/{REDACTED}"),
            ("mail jane@example.org", f"mail {REDACTED}"),
        ],
    )
    def test_hides_what_is_private_in_urls(self, given: str, shown: str) -> None:
        assert shown == privacy.prose(given)
        assert shown == privacy.prose(shown)

    def test_takes_no_longer_for_hostile_texts(self) -> None:
        assert privacy.prose("?=" * 100_000)
        assert privacy.prose("?" + "a" * 200_000)
