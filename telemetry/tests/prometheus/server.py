"""A real Prometheus: started on a free loopback port, asked over its HTTP API, stopped by process id."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.servers.harness import free_port

INSTALL = "apt-get install --no-install-recommends prometheus"


class QueryError(AssertionError):
    """Prometheus refuses an expression."""


@dataclass(frozen=True)
class Sample:
    """One series of an answer; the name is the label `__name__`, where there is one."""

    labels: dict[str, str]
    value: float


@dataclass
class Prometheus:
    """A running Prometheus; `address` is host and port."""

    address: str
    process: subprocess.Popen[bytes]

    def query(self, expression: str) -> list[Sample]:
        """The series that an instant query gives now.

        Raises:
            QueryError: the expression does not parse, or its types or labels do not fit.
        """
        found = self.api("query", query=expression)
        if found["resultType"] == "scalar":
            return [Sample({}, float(found["result"][1]))]
        return [Sample(sample["metric"], float(sample["value"][1])) for sample in found["result"]]

    def wait_for_sample(self, expression: str, seconds: float = 60) -> list[Sample]:
        """The series of an expression as soon as it gives some.

        Raises:
            QueryError: the expression is refused.
            AssertionError: it gave none in this time.
        """
        deadline = time.monotonic() + seconds
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"no series in {seconds} s: {expression}"
            time.sleep(0.25)
        return found

    def parses(self, expression: str) -> bool:
        """Whether Prometheus can read the expression; it is not evaluated."""
        try:
            self.api("format_query", query=expression)
        except QueryError:
            return False
        return True

    def api(self, what: str, **parameters: str) -> Any:
        """The data of an answer of `/api/v1`.

        Raises:
            QueryError: the answer is an error; the message is Prometheus's.
        """
        url = f"http://{self.address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise QueryError(f"{parameters}: {json.load(error).get('error')}") from None

    def _ready(self) -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    def wait_until_ready(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not self._ready():
            assert self.process.poll() is None, f"prometheus ended with status {self.process.returncode}"
            assert time.monotonic() < deadline, f"prometheus is not ready after {seconds} s"
            time.sleep(0.05)


def binary(name: str) -> str:
    """Where `prometheus` or `promtool` is; a test that needs one that is missing is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on PATH; on Debian and Ubuntu: {INSTALL}")
    return found


@contextlib.contextmanager
def running(config: Path, data: Path) -> Iterator[Prometheus]:
    """A Prometheus with this configuration, its data below `data`."""
    address = f"127.0.0.1:{free_port()}"
    command = [binary("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={data}",
               f"--web.listen-address={address}", "--enable-feature=exemplar-storage", "--log.level=error"]  # fmt: skip
    prometheus = Prometheus(address, subprocess.Popen(command))
    try:
        prometheus.wait_until_ready()
        yield prometheus
    finally:
        prometheus.process.terminate()
        try:
            prometheus.process.wait(20)
        except subprocess.TimeoutExpired:
            prometheus.process.kill()
            prometheus.process.wait(20)
