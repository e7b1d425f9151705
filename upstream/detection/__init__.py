"""Finds payers that drift: each payer's recent window against its own baseline."""

from upstream.detection.service import Detection, detect, last_day

__all__ = ["Detection", "detect", "last_day"]
