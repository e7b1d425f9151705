"""Where a page comes from, which formats are read, and what is said of one that cannot be."""

from __future__ import annotations

import gzip
import io
import threading
from collections.abc import Iterator, Set
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from telemetry.compare.errors import InputError
from telemetry.compare.fetch import Fetched, fetch
from telemetry.compare.page import Page, parse

TEXT = """\
# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{kind="a\\"b"} 3
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.5"} 1
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_count 1
wait_seconds_sum 0.25
"""
OPEN = """\
# HELP jobs Jobs.
# TYPE jobs counter
jobs_total{kind="a\\"b"} 3
jobs_created{kind="a\\"b"} 1.7e9
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="0.5"} 1 # {trace_id="ab"} 0.25 1.7e9
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_count 1
wait_seconds_sum 0.25
# TYPE build info
build_info{version="1"} 1
# TYPE other unknown
other 1
# EOF
"""


def complaint(text: str, content_type: str = "") -> str:
    with pytest.raises(InputError) as caught:
        parse("page", Fetched(text, content_type))
    return str(caught.value)


def described(page: Page) -> dict[str, tuple[str, str, Set[str], Set[str]]]:
    return {name: (family.type, family.help, family.labels, family.edges) for name, family in page.families.items()}


class TestParse:
    def test_text(self) -> None:
        assert {
            "jobs_total": ("counter", "Jobs.", {"kind"}, set()),
            "wait_seconds": ("histogram", "", set(), {"0.5", "+Inf"}),
        } == described(parse("page", Fetched(TEXT)))

    def test_openmetrics_by_the_names_of_the_text_format(self) -> None:
        assert {
            "jobs_total": ("counter", "Jobs.", {"kind"}, set()),
            "wait_seconds": ("histogram", "", set(), {"0.5", "+Inf"}),
            "build_info": ("gauge", "", {"version"}, set()),
            "other": ("untyped", "", set(), set()),
        } == described(parse("page", Fetched(OPEN)))

    def test_series_by_the_names_that_are_stored(self) -> None:
        stored = parse("page", Fetched(OPEN)).samples
        assert {"jobs_total", "jobs_created", "build_info", "other"} == {n for n in stored if "wait" not in n}
        assert {frozenset({("kind", 'a"b')})} == stored["jobs_total"]

    def test_a_counter_without_total_keeps_its_name(self) -> None:
        page = parse(
            "page", Fetched('# TYPE jobs counter\njobs{kind="a"} 1\n# TYPE tries_total counter\ntries_total 1\n')
        )
        assert {"jobs", "tries_total"} == page.families.keys() == page.samples.keys()

    def test_samples_without_a_type(self) -> None:
        page = parse("page", Fetched('free{kind="a"} 1\nfree{kind="b"} 2\n'))
        assert ("untyped", {"a", "b"}) == (page.families["free"].type, page.families["free"].values("kind"))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("<!doctype html>\n<p>Log in</p>\n", "page, line 1: not an exposition: '<!doctype html>'"),
            (TEXT + "jobs_total{kind= 3\n", "page, line 9: not an exposition: 'jobs_total{kind= 3'"),
            (TEXT + "jobs_total three\n", "page, line 9: not an exposition: 'jobs_total three'"),
            (OPEN.replace("other 1", "other one"), "page, line 14: not an exposition: 'other one'"),
            (TEXT[:-5], "page, line 8: cut off in the middle of a line"),
            (OPEN[: OPEN.index("# EOF")], "page, line 15: cut off: OpenMetrics ends with '# EOF'"),
            (TEXT[: TEXT.index("wait_seconds_sum")], "cut off: the histogram wait_seconds{} has no _sum"),
            (TEXT[: TEXT.index("wait_seconds_count")], "cut off: the histogram wait_seconds{} has no _count"),
            (TEXT.replace('wait_seconds_bucket{le="+Inf"} 1\n', ""), 'wait_seconds{} has no bucket le="+Inf"'),
            ("", "page: shows no metric"),
            ("\n", "page: shows no metric"),
            ("x" * 1_000_000 + "<\n", "…' ("),
        ],
    )
    def test_says_what_is_wrong_and_where(self, text: str, said: str) -> None:
        assert said in complaint(text)
        assert len(complaint(text)) < 300

    def test_a_server_tells_the_format(self) -> None:
        text = "# TYPE free gauge\nfree 1\n"
        assert "line 3: cut off" in complaint(text, "application/openmetrics-text; version=1.0.0")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))  # type: ignore[attr-defined]
        status, headers, body = {
            "/metrics": (200, {"Content-Type": "text/plain; version=0.0.4"}, TEXT.encode()),
            "/gzip": (200, {"Content-Encoding": "gzip"}, gzip.compress(TEXT.encode())),
            "/moved": (302, {"Location": "/metrics"}, b""),
            "/closed": (401, {}, b""),
            "/cut": (200, {"Content-Length": "5000"}, TEXT.encode()),
            "/silent": (200, {"Content-Length": "5000"}, b"jobs"),
        }[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/silent":
            self.server.done.wait(30)  # type: ignore[attr-defined]

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    server.asked, server.done = [], threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.done.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def unfit(source: str, **options: float) -> str:
    with pytest.raises(InputError) as caught:
        fetch(source, **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(source)
    return str(caught.value)


class TestFetch:
    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "page").write_text(TEXT)
        assert Fetched(TEXT) == fetch(str(tmp_path / "page"))

    def test_a_compressed_file(self, tmp_path: Path) -> None:
        (tmp_path / "page").write_bytes(gzip.compress(TEXT.encode()))
        assert TEXT == fetch(str(tmp_path / "page")).text

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(TEXT.encode()))))
        assert TEXT == fetch("-").text

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        assert "No such file" in unfit(str(tmp_path / "page"))
        assert "Is a directory" in unfit(str(tmp_path))
        assert "no URL of http" in unfit("ftp://127.0.0.1/metrics")

    def test_a_file_that_is_too_large(self, tmp_path: Path) -> None:
        (tmp_path / "page").write_bytes(b"a" * 1001)
        assert "larger than 1000 bytes" in unfit(str(tmp_path / "page"), limit=1000)
        assert fetch(str(tmp_path / "page"), limit=1001).text

    def test_a_file_that_unpacks_to_too_much(self, tmp_path: Path) -> None:
        (tmp_path / "page").write_bytes(gzip.compress(b"a" * 1_000_000))
        assert "unpacks to more than 100000 bytes" in unfit(str(tmp_path / "page"), limit=100_000)

    def test_damage(self, tmp_path: Path) -> None:
        packed = gzip.compress(TEXT.encode())
        (tmp_path / "page").write_bytes(packed[:-12])
        assert "the gzip is cut off" in unfit(str(tmp_path / "page"))
        (tmp_path / "page").write_bytes(packed[:12] + b"????" + packed[16:])
        assert "broken gzip" in unfit(str(tmp_path / "page"))
        (tmp_path / "page").write_bytes(b"a 1\nb\xff 1\n")
        assert "line 2: not UTF-8" in unfit(str(tmp_path / "page"))

    @pytest.mark.parametrize("path", ["metrics", "gzip"])
    def test_a_url(self, server: HTTPServer, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert TEXT == fetch(f"http://127.0.0.1:{server.server_port}/{path}").text
        assert server.asked[0]["Accept"].startswith("application/openmetrics-text")  # type: ignore[attr-defined]

    def test_nobody_else_is_asked(self, server: HTTPServer) -> None:
        said = unfit(f"http://127.0.0.1:{server.server_port}/moved")
        assert said.endswith("status 302, a redirect to /metrics")
        assert 1 == len(server.asked)  # type: ignore[attr-defined]

    def test_a_url_that_answers_nothing(self, server: HTTPServer) -> None:
        here = f"http://127.0.0.1:{server.server_port}"
        assert "status 401" in unfit(f"{here}/closed")
        assert "cut off" in unfit(f"{here}/cut")
        assert "timed out" in unfit(f"{here}/silent", timeout=0.1)
        assert "refused" in unfit("http://127.0.0.1:9/metrics")
        assert "nonnumeric port" in unfit("http://127.0.0.1:port/metrics")
