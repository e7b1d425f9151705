"""The kinds of work, each declared once, in `upstream/tasks.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import DatabaseError, transaction

from telemetry.instrumentation.privacy import stack
from upstream.models import Job

if TYPE_CHECKING:
    from upstream.jobs.attempt import Run

Work = Callable[["Run"], None]
GivenUp = Callable[[Job], None]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work.

    `attempts` is how often it is tried at most, `limit` how many seconds an attempt may take before it is
    interrupted. `given_up` runs in the transaction that fails a job for good, whose `error_type` and
    `error` are set by then.
    """

    name: str
    job_type: Job.JobType
    work: Work
    attempts: int
    limit: float
    given_up: GivenUp | None

    @property
    def task_name(self) -> str:
        """The name of its Celery task, which is that in the task metrics too."""
        return f"upstream.{self.name}"

    def give_up(self, job: Job) -> None:
        """Call `given_up`, in a transaction; what goes wrong in it keeps no job from failing.

        Raises:
            django.db.DatabaseError: the database failed, which may go better another time.
        """
        if self.given_up is None:
            return
        try:
            with transaction.atomic():
                self.given_up(job)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - a job must not run for ever
            _logger.error("%s: what came of its failure could not be stored\n%s", job, stack(error))


def kind(
    name: str, job_type: Job.JobType, *, attempts: int = 3, limit: float = 600, given_up: GivenUp | None = None
) -> Callable[[Work], Kind]:
    """Declare a kind of work: a function that gets the run of one attempt.

    Raises:
        ValueError: the name is taken.
    """

    def declare(work: Work) -> Kind:
        if name in _kinds:
            raise ValueError(f"kind of job {name!r} is declared twice")
        _kinds[name] = Kind(name, job_type, work, attempts, limit, given_up)
        return _kinds[name]

    return declare


def kind_of(name: str) -> Kind:
    """The kind with this name.

    Raises:
        LookupError: there is none; the message names those there are.
    """
    found = _kinds.get(name)
    if found is None:
        raise LookupError(f"kind of job {name!r} is not known; known: {', '.join(sorted(_kinds))}")
    return found


def kinds() -> Mapping[str, Kind]:
    """All kinds, by name."""
    return dict(_kinds)


_kinds: dict[str, Kind] = {}
