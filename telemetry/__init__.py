"""OpenTelemetry for Django under django-prometheus's names, exact under any number of processes."""
