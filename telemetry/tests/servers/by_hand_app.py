"""A project that had traces before: a provider and instrumentors of its own hand, switched on where that is usual."""

import django
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from telemetry.tests.servers.auto_urls import request_hook, response_hook

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
DjangoInstrumentor().instrument(request_hook=request_hook, response_hook=response_hook)
SQLite3Instrumentor().instrument()
django.setup(set_prefix=False)

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
