"""Tasks of real Celery workers, in a store that they share with each other and with a web server."""

from __future__ import annotations

import datetime
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.tests.otlp.sink import receiving
from telemetry.tests.servers.celery_worker import (
    ENDED,
    IN_FLIGHT,
    LOST,
    SENT,
    STARTED,
    TASKS,
    Place,
    ended,
    place,
    settled,
    worker,
)
from telemetry.tests.servers.harness import Samples, get, gunicorn, total

KILLED, REVOKED, REFUSED = (f"telemetry_task_{what}_total" for what in ("killed", "revoked", "refused"))
SUCCEEDED, FAILED, RETRIED, IGNORED, REJECTED = ENDED


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as here:
        yield here


def by_task(samples: Samples, name: str) -> dict[str, float]:
    """The samples of this name by the last words of their task and their exception, without zeros."""
    found: dict[str, float] = {}
    for (sample, labels), value in samples.items():
        if sample == name and value:
            named = dict(labels)
            words = named["task"].rpartition(".")[2], named.get("exception", "").rpartition(".")[2]
            key = " ".join(filter(None, words))
            found[key] = found.get(key, 0.0) + value
    return found


class TestPools:
    def test_prefork_and_the_page_of_the_site_that_sends(self, tmp_path: Path, here: Place) -> None:
        """Every outcome, exact over the processes of the site, the worker and its pool, the killed ones too."""
        with (
            gunicorn(tmp_path, "--workers", "2", env=here.environ) as site,
            worker(here, "--concurrency=3"),
        ):
            for name in ("succeed", "fail", "again", "in_vain", "ignore", "reject", "leave"):
                assert 200 == get(site.port, f"/send/{name}/2")[0]
            for asked in ("slow/1?soft_time_limit=0.3", "slow/1?time_limit=0.6", "deaf/1?time_limit=0.6"):
                assert 200 == get(site.port, f"/send/{asked}")[0]
            assert 200 == get(site.port, "/send/succeed/1?countdown=0.3")[0]
            here.wait(lambda samples: settled(samples, 24) and 4 == total(samples, KILLED))
            samples = site.scrape()
        started = {"succeed": 3, "fail": 2, "again": 6, "in_vain": 4, "ignore": 2, "reject": 2, "leave": 2, "slow": 2}
        assert {
            SENT: started | {"deaf": 1},
            STARTED: started | {"deaf": 1},
            "telemetry_task_queue_wait_seconds_count": started | {"deaf": 1},
            "telemetry_task_duration_seconds_count": started,
            SUCCEEDED: {"succeed": 3, "again": 2},
            FAILED: {
                "fail ValueError": 2,
                "in_vain LookupError": 2,
                "leave SystemExit": 2,
                "slow SoftTimeLimitExceeded": 1,
                "slow TimeLimitExceeded": 1,
            },
            RETRIED: {"again KeyError": 4, "in_vain LookupError": 2},
            IGNORED: {"ignore": 2},
            REJECTED: {"reject": 2},
            LOST: {"deaf": 1},
            IN_FLIGHT: {},
            KILLED: {"slow TimeLimitExceeded": 1, "deaf TimeLimitExceeded": 1, "leave WorkerLostError": 2},
        } == {
            name: by_task(samples, name)
            for name in (
                *(SENT, STARTED, "telemetry_task_queue_wait_seconds_count", "telemetry_task_duration_seconds_count"),
                *(*ENDED, LOST, IN_FLIGHT, KILLED),
            )
        }
        assert 24 == here.begun()
        # Celery keeps no result of what is ignored; of what killed a process, its parent has kept one.
        assert {"SUCCESS": 5, "FAILURE": 11} == here.states()
        assert 3 == total(samples, "django_db_execute_total", alias="default")
        assert 11 == total(samples, "django_http_responses_total_by_status_total", status="200")
        assert 0 == total(samples, "telemetry_dropped_total")

    def test_threads_and_solo(self, here: Place) -> None:
        with (
            worker(here, "--pool=threads", "--concurrency=4", "--queues=wide") as threads,
            worker(here, "--pool=solo", "--queues=narrow") as solo,
        ):
            for queue in ("wide", "narrow"):
                here.send("succeed", 10, queue=queue)
                here.send("fail", 10, queue=queue)
                here.send("again", 10, (1,), queue=queue)
            here.wait(lambda samples: settled(samples, 80))
            threads.stop(signal.SIGTERM)
            solo.stop(signal.SIGTERM)
        samples = here.samples()
        for queue in ("wide", "narrow"):
            assert 20 == total(samples, SUCCEEDED, queue=queue, system="celery")
            assert 10 == total(samples, FAILED, queue=queue, exception="ValueError")
            assert 10 == total(samples, RETRIED, queue=queue, exception="KeyError")
            assert 40 == total(samples, "telemetry_task_queue_wait_seconds_count", queue=queue)
        assert (80, 0) == (here.begun(), total(samples, LOST))


class TestDeath:
    def test_a_run_whose_process_is_killed_is_lost(self, here: Place) -> None:
        with worker(here, "--concurrency=2"):
            here.send("work", 1, (60.0,))
            samples = here.wait(lambda samples: 1 == total(samples, IN_FLIGHT) and 1 == here.begun())
            assert (1, 0, 0) == (total(samples, STARTED), ended(samples), total(samples, LOST))
            [(_, pid)] = here.log()
            os.kill(pid, signal.SIGKILL)
            here.send("succeed", 4)
            samples = here.wait(lambda samples: settled(samples, 5))
            assert ({"work": 1}, {"succeed": 4}) == (by_task(samples, LOST), by_task(samples, SUCCEEDED))

    def test_so_is_one_that_dies_with_the_worker(self, here: Place) -> None:
        with worker(here, "--pool=solo") as solo:
            here.send("work", 1, (60.0,))
            here.wait(lambda samples: 1 == total(samples, IN_FLIGHT))
            solo.stop()
            here.wait(lambda samples: settled(samples, 1))

    @pytest.mark.parametrize(
        ("tasks", "kills", "processes"),
        [(60, 3, 4), pytest.param(1000, 40, 8, marks=pytest.mark.slow)],
        ids=["a few", "many"],
    )
    def test_random_kills(self, here: Place, tasks: int, kills: int, processes: int) -> None:
        """Every run is started once, and ends, is under way, or is lost; no counter ever falls."""
        chance = random.Random(7)
        with worker(here, f"--concurrency={processes}") as pool:
            for _ in range(tasks // 10):
                here.send("work", 10, (chance.choice((0.0, 0.05, 0.2)),))
            killed, before = 0, Counter[str]()
            while killed < kills:
                samples = here.samples()
                now = Counter({name: int(total(samples, name)) for name in (STARTED, *ENDED, LOST)})
                assert now >= before, f"{before - now} fell"
                assert now[STARTED] == sum(now[name] for name in ENDED) + now[LOST] + total(samples, IN_FLIGHT)
                before = now
                if here.begun() >= (killed + 1) * tasks / (kills + 2):
                    os.kill(chance.choice(pool.children()), signal.SIGKILL)
                    killed += 1
                time.sleep(chance.uniform(0, 0.05))
            here.wait(lambda samples: self._over(here, samples), 120)
        samples, written = here.samples(), Counter(word for word, _ in here.log())
        started, lost = total(samples, STARTED), total(samples, LOST)
        # A kill may come between what the task does and what is recorded of it, on either side.
        assert tasks - kills <= written["begun"] <= started <= tasks
        assert written["ended"] - kills <= total(samples, SUCCEEDED) <= written["ended"]
        assert lost <= kills
        assert started == ended(samples) + lost

    @staticmethod
    def _over(here: Place, samples: Samples) -> bool:
        """Whether no task waits, in the broker or in the worker, and none runs."""
        waiting = here.broker.llen("celery") or here.broker.hlen("unacked")
        return not waiting and settled(samples, total(samples, STARTED)) and samples == here.samples()

    @pytest.mark.slow
    def test_the_worker_tells_that_a_process_was_found_dead(self, here: Place) -> None:
        with worker(here, "--concurrency=2"):
            here.send("work", 1, (60.0,))
            here.wait(lambda samples: 1 == here.begun())
            [(_, pid)] = here.log()
            os.kill(pid, signal.SIGKILL)
            samples = here.wait(lambda samples: 1 == total(samples, KILLED), 60)
            assert ({"work WorkerLostError": 1}, {"work": 1}) == (by_task(samples, KILLED), by_task(samples, LOST))


class TestWhatDoesNotRun:
    def test_revoked_expired_terminated_and_no_tasks(self, here: Place) -> None:
        with worker(here, "--concurrency=2", env={"CELERY_REMOTE_CONTROL": "1"}):
            running = here.app.send_task(f"{TASKS}.work", (60.0,))
            here.wait(lambda samples: 1 == total(samples, IN_FLIGHT) and 1 == here.begun())
            here.send("succeed", expires=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
            here.app.control.revoke(here.app.send_task(f"{TASKS}.succeed", countdown=1).id)
            here.app.control.revoke(running.id, terminate=True, signal="SIGKILL")
            here.app.send_task("nobody.knows.it")
            with here.app.connection_for_write() as connection:
                connection.Producer().publish({"no": "task"}, routing_key="celery", headers={"what": "is this"})
            here.send("succeed")
            samples = here.wait(
                lambda samples: settled(samples, 2) and (3, 2) == (total(samples, REVOKED), total(samples, REFUSED))
            )
        for reason, task in (("expired", "succeed"), ("revoked", "succeed"), ("terminated", "work")):
            labels = {"task": f"{TASKS}.{task}", "queue": "celery", "system": "celery"}
            assert 1 == total(samples, REVOKED, reason=reason, **labels)
        assert {"unknown": 1, "invalid": 1} == {
            dict(labels)["reason"]: value for (name, labels), value in samples.items() if name == REFUSED
        }
        assert ({"work": 1}, {"succeed": 1}) == (by_task(samples, LOST), by_task(samples, SUCCEEDED))


class TestTheEndOfAPool:
    def test_its_processes_push_what_they_have_counted(self, here: Place) -> None:
        """They run no exit hooks of Python's."""
        with receiving("http/protobuf") as sink:
            late = {**sink.environment, "OTEL_METRIC_EXPORT_INTERVAL": "600000"}
            with worker(here, "--concurrency=2", env=late) as pool:
                here.send("succeed", 6)
                here.wait(lambda samples: settled(samples, 6))
                assert [] == sink.points
                pool.stop(signal.SIGTERM)
            sink.wait(lambda: 6 == sink.total(SUCCEEDED), "what the tasks have counted")
