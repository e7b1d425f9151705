"""The application of the server tests, which sends what waits when its lifespan ends."""

from telemetry import runtime
from telemetry.instrumentation.lifespan import end_with_lifespan
from telemetry.sdk import ending
from telemetry.tests.servers.app import application

__all__ = ["application"]

end_with_lifespan(ending.end, runtime.get().guard.failed)
