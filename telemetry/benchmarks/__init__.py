"""What the layer costs, beside nothing, django-prometheus and stock OpenTelemetry: `python -m telemetry.benchmarks`."""
