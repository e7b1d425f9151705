"""Spans of Celery's tasks, put in where something makes a Celery app; Celery is not imported for their sake."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from opentelemetry.trace import TracerProvider
from wrapt import register_post_import_hook, wrap_function_wrapper

from telemetry.instrumentation._in_place import step_aside
from telemetry.instrumentation._stock import is_in

__all__ = ["install", "uninstall"]

_APPS = "celery.app.base"

_wanted: tuple[TracerProvider | None, Callable[[str, BaseException], None]] | None = None
_installed: Any = None
_watching = False
stays = False
"""Whether the stock instrumentor is in and is left there."""


def install(tracer_provider: TracerProvider | None, failed: Callable[[str, BaseException], None]) -> None:
    """Trace tasks as soon as there is a Celery app, be it made before or after this. Idempotent.

    Where the instrumentation is not installed nothing is done. `failed` is told of what is lost when tracing a task
    fails.
    """
    global _wanted, _watching
    if _wanted is not None:
        return
    _wanted = tracer_provider, failed
    if _APPS in sys.modules:
        _instrument()
    elif not _watching:
        _watching = True
        register_post_import_hook(_imported, _APPS)


def uninstall() -> None:
    """Trace no more. Idempotent."""
    global _wanted, _installed
    _wanted = None
    if _installed is not None:
        instrumentor, _installed = _installed, None
        instrumentor.uninstrument()
        step_aside(instrumentor)


def stock_is_in() -> bool:
    """Whether somebody has switched the stock instrumentor on; nothing is imported to find out."""
    module = sys.modules.get("opentelemetry.instrumentation.celery")
    return module is not None and is_in(module.CeleryInstrumentor)


def _imported(apps: ModuleType) -> None:
    # Celery's modules import each other in a circle, in any order; when an app is made they are whole.
    wrap_function_wrapper(apps, "Celery.__init__", _made)


def _made(call: Callable[..., None], app: object, args: Any, kwargs: Any) -> None:
    call(*args, **kwargs)
    _instrument()


def _instrument() -> None:
    global _installed, stays
    if _wanted is None or _installed is not None:
        return
    tracer_provider, failed = _wanted
    try:
        from telemetry.instrumentation import task_spans_celery

        _installed = task_spans_celery.instrument(tracer_provider, failed)
        stays = _installed is None
    except ImportError:
        return
    except Exception as error:  # noqa: BLE001 - it would be the making of an app that fails
        failed("spans.tasks", error)
