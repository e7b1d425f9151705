"""What the servers serve: the project of the contender that `BENCHMARK_CONTENDER` names, by WSGI or `SERVE_ASGI`."""

from __future__ import annotations

import os

from telemetry.benchmarks import contenders

contenders.set_up(os.environ["BENCHMARK_CONTENDER"])

from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_asgi_application() if os.environ.get("SERVE_ASGI") else get_wsgi_application()
