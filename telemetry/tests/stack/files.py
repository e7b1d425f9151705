"""The files of `docs/stack`, read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from telemetry.tests.servers.harness import CHECKOUT

DIRECTORY = CHECKOUT / "docs" / "stack"
VARIABLE = re.compile(r"\b(?:OTEL|TELEMETRY|UPSTREAM|DJANGO|DATABASE)_[A-Z_]+[A-Z]\b")
_GIVEN = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def read(name: str) -> Any:
    """A YAML file of the directory."""
    return yaml.safe_load((DIRECTORY / name).read_text())


COMPOSE: dict[str, Any] = read("compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def environment(service: str, **given: str) -> dict[str, str]:
    """A service's variables as Compose makes them of the file, where the caller's environment holds those given."""

    def value(match: re.Match[str]) -> str:
        default = match[3] if match[2] == "-" else "given"
        return given.get(match[1], default)

    return {
        name: _GIVEN.sub(value, str(text)).replace("$$", "$") for name, text in SERVICES[service]["environment"].items()
    }


def mounts(service: str) -> list[tuple[str, str]]:
    """Source and target of each mount of a service."""
    found = [volume.split(":") for volume in SERVICES[service].get("volumes", ())]
    return [(source, target) for source, target, *_ in found]


def host_path(service: str, path: str) -> Path:
    """What a path in a service's container is in the checkout, by the mounts of files and directories."""
    for source, target in mounts(service):
        if source.startswith(".") and (path == target or path.startswith(f"{target}/")):
            return (DIRECTORY / source / path.removeprefix(target).lstrip("/")).resolve()
    raise AssertionError(f"{service}: nothing is mounted at {path}")


def known_variables() -> set[str]:
    """Every variable and setting that the code of the product, of `telemetry` or of the SDK names."""
    import opentelemetry.environment_variables as api
    import opentelemetry.instrumentation._semconv as semconv
    import opentelemetry.instrumentation.environment_variables as instrumentation
    import opentelemetry.sdk.environment_variables as sdk
    import opentelemetry.util.http as http

    files = [
        path
        for package in ("telemetry", "upstream", "hello_world")
        for path in (CHECKOUT / package).rglob("*.py")
        if "tests" not in path.parts
    ]
    files += [Path(str(module.__file__)) for module in (api, semconv, instrumentation, sdk, http)]
    return {name for path in files for name in VARIABLE.findall(path.read_text())}
