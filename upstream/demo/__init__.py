"""`python -m upstream.demo`: the whole service at work, from an empty database to alerts, reports and metrics."""
