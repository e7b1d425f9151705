"""Reports: asked for, written by a job, read as HTML or CSV."""

from upstream.reports.content import NoData
from upstream.reports.service import KIND, check, generate, give_up, request, request_all, write_now

__all__ = ["KIND", "NoData", "check", "generate", "give_up", "request", "request_all", "write_now"]
