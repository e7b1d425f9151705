"""Upstream: a revenue-intelligence service that ingests claims and warns when a payer drifts."""
