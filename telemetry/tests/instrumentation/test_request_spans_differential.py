"""Spans of requests, ours against the stock ones, under WSGI and ASGI: equal, but for differences that are listed."""

from __future__ import annotations

import copy
import functools
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from telemetry.tests.instrumentation.request_differences import DIFFERENCES, Case
from telemetry.tests.servers.harness import CHECKOUT

PAGE = CHECKOUT / "docs" / "decisions" / "request-spans.md"
STABLE, BOTH = "http", "http/dup"
RUNS = [(server, opt_in) for server in ("wsgi", "asgi") for opt_in in (STABLE, BOTH)]
_FRAME = re.compile(r'File ".*request_spans_script\.py", line \d+, in (\w+)')


@functools.cache
def run(server: str, side: str, opt_in: str) -> dict[str, list[dict[str, Any]]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-m", "telemetry.tests.instrumentation.request_spans_script", server, side],
        env=environ
        | {
            "OTEL_SEMCONV_STABILITY_OPT_IN": opt_in,
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "x-asked,authorization,cookie",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE": "x-answer,set-cookie",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    for spans in found.values():
        for span in spans:
            for _, attributes in span["events"]:
                stack = attributes["exception.stacktrace"]
                (last,) = stack.strip().rpartition("\n")[2:]
                # Where it was raised, in what is the application's, and as what; other lines are the interpreter's.
                attributes["exception.stacktrace"] = [*_FRAME.findall(stack), last.partition(":")[0]]
    return found


def meant(server: str, opt_in: str) -> tuple[dict[str, list[dict[str, Any]]], set[str]]:
    """The stock spans with all that is meant to differ, and the names of those differences that there are."""
    found, used = copy.deepcopy(run(server, "stock", opt_in)), set()
    for name, spans in found.items():
        for difference, change in DIFFERENCES.items():
            before = copy.deepcopy(spans)
            change(Case(server, name, opt_in == BOTH), spans)
            if spans != before:
                used.add(difference)
    return found, used


@pytest.mark.parametrize(("server", "opt_in"), RUNS)
class TestAgainstStock:
    def test_equal_but_for_what_is_meant(self, server: str, opt_in: str) -> None:
        expected, _ = meant(server, opt_in)
        found = run(server, "ours", opt_in)
        assert expected.keys() == found.keys()
        for name, spans in expected.items():
            assert spans == found[name], name

    def test_nothing_private_is_in_ours(self, server: str, opt_in: str) -> None:
        assert "s3cret" in json.dumps(run(server, "stock", opt_in))
        assert "s3cret" not in json.dumps(run(server, "ours", opt_in))


class TestDifferences:
    def test_there_is_each_of_them(self) -> None:
        assert {*DIFFERENCES} == {name for run in RUNS for name in meant(*run)[1]}

    def test_the_page_lists_them(self) -> None:
        assert [*DIFFERENCES] == re.findall(r"(?m)^\| \*\*([\w ]+)\*\* \|", PAGE.read_text())
