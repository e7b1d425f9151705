"""What it was measured on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

_PACKAGES = (
    "django",
    "django-prometheus",
    "prometheus-client",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-django",
    "psycopg",
    "psycopg2-binary",
    "celery",
    "gunicorn",
    "uvicorn",
)


def machine() -> str:
    """The interpreter, the processor, and the versions of everything that took part."""
    versions = ", ".join([*(f"{name} {version(name)}" for name in _PACKAGES), *_programs()])
    return (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} CPUs ({_cpu()}), {_memory()}; {versions}."
    )


def _cpu() -> str:
    names = re.findall(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return names[0] if names else platform.processor() or "unknown"


def _memory() -> str:
    kib = re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.MULTILINE)
    return f"{int(kib[1]) / 2**20:.0f} GiB" if kib else "memory unknown"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _programs() -> Iterator[str]:
    """The servers and tools that are no packages of Python's, as far as they are here."""
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    for command in ([str(servers[-1]) if servers else "postgres", "--version"], ["wrk", "--version"]):
        if shutil.which(command[0]):
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            found = re.search(r"(PostgreSQL|wrk)\D*([\d.]+)", said)
            if found:
                yield f"{found[1]} {found[2]}"
