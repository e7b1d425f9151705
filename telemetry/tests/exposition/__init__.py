"""Tests of `telemetry.exposition`."""
