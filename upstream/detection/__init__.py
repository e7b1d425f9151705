"""Finds payers that drift: each payer's recent window against its own baseline."""

from upstream.detection.service import KIND, detect, detect_now, follow, last_day, request

__all__ = ["KIND", "detect", "detect_now", "follow", "last_day", "request"]
