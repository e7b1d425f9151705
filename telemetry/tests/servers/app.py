"""The WSGI and ASGI applications that the server tests start; a counter may be written before the fork."""

import os

import django

django.setup(set_prefix=False)

from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from opentelemetry import metrics  # noqa: E402

prefork = int(os.environ.get("PREFORK_COUNT", "0"))
if prefork:
    metrics.get_meter("prefork").create_counter("prefork_total").add(prefork)

application = get_asgi_application() if os.environ.get("SERVE_ASGI") else get_wsgi_application()
