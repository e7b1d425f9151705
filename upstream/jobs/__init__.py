"""Background work: a table of jobs is the truth, a broker only says that there is something to do.

A job is written in the transaction that wants it, and sent when that has committed. Whoever gets the
message takes the job by a lease; completing it and its effects are one transaction, which fails where
the lease has been lost. What a broker loses, and what a killed process leaves, the sweeper sends again.
"""

from upstream.jobs.attempt import AttemptFailed, LeaseLost, Run, attempt, run_now
from upstream.jobs.queue import enqueue, send
from upstream.jobs.registry import Kind, kind, kind_of, kinds
from upstream.jobs.retry import retry
from upstream.jobs.sweeper import WORKER_LOST, sweep

__all__ = [
    "WORKER_LOST",
    "AttemptFailed",
    "Kind",
    "LeaseLost",
    "Run",
    "attempt",
    "enqueue",
    "kind",
    "kind_of",
    "kinds",
    "retry",
    "run_now",
    "send",
    "sweep",
]
