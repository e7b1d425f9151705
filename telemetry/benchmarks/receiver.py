"""An OTLP receiver in a process of its own: `python -m telemetry.benchmarks.receiver PROTOCOL [FAULT]`.

Prints the variables that send data to it, and, once its input ends, how many spans of requests it has taken.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator

from telemetry.tests.otlp.faults import FAULTS
from telemetry.tests.otlp.sink import receiving


@contextlib.contextmanager
def beside(protocol: str, fault: str = "") -> Iterator[tuple[dict[str, str], Callable[[], int]]]:
    """Another process that receives: its variables, and what ends it and tells how many spans it has taken."""
    command = [sys.executable, "-m", __spec__.name, protocol, *([fault] if fault else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            environ = json.loads(process.stdout.readline())
            yield environ, lambda: int(process.communicate()[0])
        finally:
            process.stdin.close()


def main() -> None:
    protocol, *faults = sys.argv[1:]
    with receiving(protocol) as sink:
        for fault in faults:
            FAULTS[fault](sink)
        print(json.dumps(sink.environment), flush=True)
        sys.stdin.read()
        print(len(sink.servers()))


if __name__ == "__main__":
    main()
