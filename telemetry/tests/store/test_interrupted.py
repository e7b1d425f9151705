"""A signal handler that raises while a measurement waits for the lock: the exception is the application's."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from telemetry.spec import Kind, Layout
from telemetry.store import Store

TIMES = Layout("times", Kind.HISTOGRAM, ("a",), (1.0,))
SUMS = Layout("sums", Kind.SUM, ("a",))


class Stopped(BaseException):
    """As of a worker that is to end: it must get out."""


@pytest.fixture
def stopping() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGUSR1, stop)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("stopping")
class TestWaiting:
    @pytest.mark.parametrize("record", [
        lambda store: store.table(TIMES).histogram(("x",)).observe,
        lambda store: partial(store.table(TIMES).observe, ("x",)),
        lambda store: partial(store.table(SUMS).add, ("x",)),
    ], ids=["held", "observed", "added"])  # fmt: skip
    def test_raises_what_the_handler_raises(
        self, store: Store, record: Callable[[Store], Callable[[float], None]]
    ) -> None:
        call, me, held = record(store), threading.get_ident(), threading.Event()

        def hold() -> None:
            with store.lock:
                held.set()
                while sys._current_frames()[me].f_code.co_name not in ("observe", "add"):
                    time.sleep(0.001)
                time.sleep(0.02)  # it is at the lock by now
                signal.pthread_kill(me, signal.SIGUSR1)
                time.sleep(0.02)

        other = threading.Thread(target=hold)
        other.start()
        held.wait()
        with pytest.raises(Stopped):
            call(0.5)
        other.join()
        assert {} == {name: table.series() for name, table in store.read().tables.items() if table.series()}
        call(0.5)
        assert [("x",)] == [key for table in store.read().tables.values() for key in table.series()]
