"""Every scene, by its name."""

from __future__ import annotations

from telemetry.benchmarks.scene import Scene
from telemetry.benchmarks.scenes import (
    asgi,
    business,
    cache,
    collector,
    memory,
    query,
    request,
    scrape,
    server,
    startup,
    task,
)

SCENES: dict[str, Scene] = {
    scene.name: scene
    for module in (request, asgi, query, cache, task, business, scrape, memory, startup, server, collector)
    for scene in module.SCENES
}
