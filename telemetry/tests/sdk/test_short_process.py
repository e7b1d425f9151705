"""A process that ends before its spans are due exports them at its end, when Python has shut half of itself down."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from telemetry.tests.otlp.sink import PROTOCOLS, receiving
from telemetry.tests.servers.harness import CHECKOUT

SCRIPT = """
from telemetry.sdk.tracing import build_tracer_provider
with build_tracer_provider().get_tracer("test").start_as_current_span("the only one"):
    pass
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_its_spans_arrive(protocol: str) -> None:
    with receiving(protocol) as sink:
        environ = {**os.environ, **sink.environment, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        subprocess.run([sys.executable, "-c", SCRIPT], cwd=CHECKOUT, env=environ, check=True, timeout=60)
        assert ["the only one"] == [span.name for span in sink.spans]
