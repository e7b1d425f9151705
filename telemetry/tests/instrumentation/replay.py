"""Requests of every sort in this process, and the families that either stack shows after them."""

from __future__ import annotations

import contextlib
from typing import Any

from telemetry.samples import FamilySamples

Families = dict[str, dict[str, Any]]
"""By the name on the TYPE line: type, help, and the samples by `name{label=value,...}`."""


def script(client: Any, strict: Any) -> None:
    """Requests of every sort. `strict` is a client that checks CSRF tokens."""

    def send(method: str, path: str, **options: Any) -> None:
        with contextlib.suppress(SystemExit):
            response = client.generic(method, path, **options)
            if response.streaming:
                with contextlib.suppress(OSError):
                    b"".join(response.streaming_content)

    for _ in range(3):
        send("GET", "/ok")
    for path in ("/unnamed", "/lambda", "/latin", "/redirect", "/boom", "/missing", "/denied", "/nowhere", "/slashed"):
        send("GET", path)
    for path in ("/shop/item/7/", "/shop/unnamed/", "/template", "/template/list", "/template/broken", "/async"):
        send("GET", path)
    for path in ("/stream", "/stream/broken", "/file", "/database", "/database"):
        send("GET", path)
    send("HEAD", "/ok")
    send("FOO", "/ok")
    send("BAR", "/nowhere")
    send("GET", "/ok", headers={"X-Requested-With": "XMLHttpRequest"})
    send("GET", "/ok", headers={"X-Forwarded-Proto": "https"})
    send("GET", "/large", headers={"Accept-Encoding": "gzip"})
    send("GET", "/etag", headers={"If-None-Match": '"1"'})
    send("POST", "/echo", data=b"d" * 3000, content_type="application/octet-stream")
    send("POST", "/ok", headers={"X-Method": "DELETE"})
    send("GET", "/short/1")
    send("OPTIONS", "/short/2")
    send("GET", "/fail/")
    send("GET", "/exit/")
    strict.post("/echo", b"", content_type="text/plain")


def _line(name: str, labels: dict[str, str]) -> str:
    return f"{name}{{{','.join(f'{label}={value}' for label, value in sorted(labels.items()))}}}"


def _theirs() -> Families:
    from prometheus_client import REGISTRY

    families: Families = {}
    for family in REGISTRY.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        samples = {
            _line(sample.name, sample.labels): sample.value
            for sample in family.samples
            if not sample.name.endswith("_created")
        }
        families[name] = {"type": family.type, "help": family.documentation, "samples": samples}
    return families


def shown(collected: list[FamilySamples]) -> Families:
    """Our families in the same form."""
    from prometheus_client import utils

    from telemetry.samples import HistogramValue

    le: Any = utils.floatToGoString
    families: Families = {}
    for family, series in ((each.family, each.series) for each in collected):
        samples = {}
        for labels, value in series:
            if not isinstance(value, HistogramValue):
                samples[_line(family.name, dict(labels))] = value
                continue
            running = 0.0
            for edge, count in zip((*family.buckets, float("inf")), value.counts, strict=True):
                running += count
                samples[_line(f"{family.name}_bucket", {**dict(labels), "le": le(edge)})] = running
            samples[_line(f"{family.name}_count", dict(labels))] = value.count
            samples[_line(f"{family.name}_sum", dict(labels))] = value.sum
        families[family.name] = {"type": family.type.value, "help": family.help, "samples": samples}
    return families
