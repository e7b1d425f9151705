"""Reports: asked for, written by a job, read as HTML or CSV."""

from __future__ import annotations

import datetime

from upstream import jobs
from upstream.models import Customer, Job, Report

KIND = "report"
"""The kind of job that writes a report."""


def request(customer: Customer, report_type: str, start: datetime.date, end: datetime.date) -> Report:
    """Not there yet."""
    raise NotImplementedError


def request_all(customer: Customer, start: datetime.date, end: datetime.date) -> None:
    """Not there yet."""
    raise NotImplementedError


def generate(run: jobs.Run) -> None:
    """Not there yet."""
    raise NotImplementedError


def give_up(job: Job) -> None:
    """Not there yet."""
    raise NotImplementedError
