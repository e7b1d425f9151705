"""System checks: what would leave numbers out, let strangers in, or mix two services.

All are warnings, because telemetry is no reason for a command to refuse its work. The ids are permanent.
A function without an underscore and without `app_configs` is pure: what it judges is what it is given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.core.cache import caches
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections
from django.urls import (
    NoReverseMatch,
    Resolver404,
    URLPattern,
    URLResolver,
    get_resolver,
    get_script_prefix,
    resolve,
    reverse,
)
from django.utils.module_loading import import_string
from opentelemetry import trace

from telemetry import conf, runtime
from telemetry.conf import Config
from telemetry.errors import StoreUnavailable
from telemetry.instrumentation.spans import DRIVERS, left
from telemetry.store import Store

TAG = "telemetry"
"""`manage.py check --tag telemetry` runs these alone."""
PREDECESSOR, COMPAT = "django_prometheus", "telemetry.compat.django_prometheus"
"""The package that this one takes the place of, and where this one has its names."""
VIEW = "telemetry.views.metrics"
"""By its path, as URLs and middlewares are: neither the views nor the checks need the other to run."""

W003 = Warning(
    "No URL leads to the metrics.",
    hint='Put path("", include("telemetry.urls")) into the urlpatterns of ROOT_URLCONF.',
    id="telemetry.W003",
)
W007 = Warning(
    "Anybody who reaches the metrics can read them.",
    hint="Set TELEMETRY_METRICS_TOKEN or TELEMETRY_METRICS_ALLOWED_NETWORKS; if the network in front of the service "
    "closes the URL, silence this check.",
    id="telemetry.W007",
)
W010 = Warning(
    "OTEL_SDK_DISABLED is true: nothing is recorded and the metrics page is empty.",
    hint="Unset OTEL_SDK_DISABLED.",
    id="telemetry.W010",
)
W011 = Warning(
    "opentelemetry-instrument has configured Django with empty settings: no app is installed.",
    hint="Set DJANGO_SETTINGS_MODULE in the environment; under opentelemetry-instrument, manage.py and wsgi.py "
    "name it too late.",
    id="telemetry.W011",
)
W013 = Warning(
    'telemetry.compat.django_prometheus is in INSTALLED_APPS, and "telemetry" is not: its commands are missing.',
    hint='Put "telemetry" into INSTALLED_APPS; the other app may stay or go.',
    id="telemetry.W013",
)


def register_all() -> None:
    """Have `manage.py check` and the commands that check first run all of these."""
    always = (check_middleware, check_urls, check_store, check_drivers, check_environment, check_settings_module)
    for check in (*always, check_predecessor, check_privacy_of_spans):
        register(check, TAG)
    register(check_access, Tags.security, deploy=True)


def middleware(given: Sequence[str]) -> list[CheckMessage]:
    """W001 for each of our two that is not in `MIDDLEWARE`, W002 for each that is not at its own end of it."""
    found: list[CheckMessage] = []
    for path, other, place, index, loss in (
        (conf.BEFORE, conf.COMPAT_BEFORE, "first", 0, "requests that end in that one are not counted"),
        (conf.AFTER, conf.COMPAT_AFTER, "last", -1, "what that one does counts as the view's"),
    ):
        path = other if path not in given and other in given else path
        if path not in given:
            found.append(
                Warning(
                    f"{path} is not in MIDDLEWARE.",
                    hint="The app puts it there when Django starts; name it yourself where MIDDLEWARE is set later.",
                    id="telemetry.W001",
                )
            )
        elif given[index] != path:
            found.append(
                Warning(
                    f"{path} is not the {place} of MIDDLEWARE, but {given[index]} is: {loss}.",
                    hint=f"Make it the {place}, or take it out: the app puts it there.",
                    id="telemetry.W002",
                )
            )
    return found


def urls(patterns: Sequence[URLPattern | URLResolver], urlconf: str) -> list[CheckMessage]:
    """W003 where no pattern leads to the metrics, W004 for each whose path an earlier pattern takes."""
    endpoints = list(_endpoints(patterns))
    if not endpoints:
        return [W003]
    return [message for endpoint in endpoints for message in _shadowed(endpoint, urlconf)]


def store_directory(store: Store) -> list[CheckMessage]:
    """W005 where the processes cannot share their counts; nothing is made on disk to find out."""
    trouble = store.degraded
    directory = getattr(store, "directory", None)
    if directory is not None:
        try:
            directory.examine()
        except StoreUnavailable as error:
            trouble = str(error)
    if not trouble:
        return []
    return [
        Warning(
            f"The shared store cannot be had, and each process shows its own numbers only: {trouble}",
            hint="Give a directory in TELEMETRY_STORE_DIR that the service's user may write, on a local file system.",
            id="telemetry.W005",
        )
    ]


def serving_services(services: int) -> list[CheckMessage]:
    """W006 where more than one service answers scrapes from one store."""
    if services <= 1:
        return []
    return [
        Warning(
            f"{services} services share one store, and each shows the sum of all.",
            hint="Give each an OTEL_SERVICE_NAME or a TELEMETRY_STORE_DIR of its own.",
            id="telemetry.W006",
        )
    ]


def access(config: Config, patterns: Sequence[URLPattern | URLResolver]) -> list[CheckMessage]:
    """W007 where the metrics are open to everybody; a view wrapped by the project is the project's own lock."""
    bare = any(pattern.callback is import_string(VIEW) for _, pattern in _endpoints(patterns))
    return [W007] if bare and not config.metrics_token and not config.metrics_networks else []


def drivers(
    used: Mapping[str, str], disabled: frozenset[str], installed: Callable[[str], bool] | None = None
) -> list[CheckMessage]:
    """W008 for each database (alias to driver) whose queries get no spans although nobody switched them off."""
    installed = installed or _instrumentation_installed
    if "*" in disabled:
        return []
    found: list[CheckMessage] = []
    for alias, driver in used.items():
        if driver in disabled or (driver in DRIVERS and installed(driver)):
            continue
        hint = f"Install opentelemetry-instrumentation-{driver}"
        if driver not in DRIVERS:
            hint = f"Drivers with spans are {', '.join(DRIVERS)}"
        found.append(
            Warning(
                f"Spans are on, but queries of the database {alias!r} get none: {driver} is not instrumented.",
                hint=f"{hint}; or name {driver} in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.",
                id="telemetry.W008",
            )
        )
    return found


def environment(multiproc_dir: str | None, *, sdk_disabled: bool) -> list[CheckMessage]:
    """W009 for `PROMETHEUS_MULTIPROC_DIR`, W010 for `OTEL_SDK_DISABLED`."""
    found: list[CheckMessage] = []
    if multiproc_dir is not None:
        found.append(
            Warning(
                f"PROMETHEUS_MULTIPROC_DIR is set ({multiproc_dir!r}): each process leaves files there, which only "
                "metrics that the project makes with prometheus_client itself are read from.",
                hint="Unset it where there are none: the store needs no variable. Metrics that must count all "
                "processes belong on the OpenTelemetry Meter API.",
                id="telemetry.W009",
            )
        )
    return [*found, W010] if sdk_disabled else found


def predecessor(
    installed: Sequence[str], middleware: Sequence[str], databases: Mapping[str, str], caches: Mapping[str, str]
) -> list[CheckMessage]:
    """W012 where django-prometheus itself still counts, W013 where only its names are installed.

    Given are the names of apps, the paths of middlewares, and by alias the paths of engines and cache backends.
    """
    found = [W013] if "telemetry" not in installed and COMPAT in installed else []
    places = {"INSTALLED_APPS": installed, "MIDDLEWARE": middleware}
    places |= {f"DATABASES[{alias!r}]": [engine] for alias, engine in databases.items()}
    places |= {f"CACHES[{alias!r}]": [backend] for alias, backend in caches.items()}
    theirs = [name for name, paths in places.items() if any(path.split(".")[0] == PREDECESSOR for path in paths)]
    if not theirs:
        return [*found]
    return [
        *found,
        Warning(
            f"django-prometheus still counts, and its families stand twice on the page: {', '.join(theirs)}.",
            hint=f"Write {COMPAT} for {PREDECESSOR} there, or take it out.",
            id="telemetry.W012",
        ),
    ]


def privacy_of_spans(uncleaned: Sequence[str], left: Sequence[str]) -> list[CheckMessage]:
    """W014 for each processor (or provider) of spans that is given them uncleaned, W015 for each stock instrumentor."""
    seen: list[CheckMessage] = [
        Warning(
            f"{name} sees spans as they are made: what others than telemetry tell in theirs leaves uncleaned.",
            hint="Export by the SDK's BatchSpanProcessor or SimpleSpanProcessor; or silence this check where it does "
            "not export, or cleans by itself.",
            id="telemetry.W014",
        )
        for name in uncleaned
    ]
    return seen + [
        Warning(
            f"The spans of {name} are those of opentelemetry-instrumentation-{name}, not telemetry's.",
            hint="It was given a tracer provider of its own, or was switched on though it is named in "
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: make that provider the global one, or leave the call out.",
            id="telemetry.W015",
        )
        for name in left
    ]


def check_middleware(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The two middlewares, as `MIDDLEWARE` stands now."""
    return [] if runtime.get().store is None else middleware(conf.get_middleware())


def check_urls(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The way to the metrics."""
    urlconf = conf.root_urlconf()
    return urls(get_resolver(urlconf).url_patterns, urlconf) if urlconf else []


def check_store(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The store's directory, and who serves from it now."""
    store = runtime.get().store
    if store is None:
        return []
    return store_directory(store) or serving_services(store.read().serving_anchors)


def check_access(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Who may scrape."""
    urlconf = conf.root_urlconf()
    return access(runtime.get().config, get_resolver(urlconf).url_patterns) if urlconf else []


def check_drivers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Spans of queries; no connection is made."""
    if isinstance(trace.get_tracer_provider(), (trace.ProxyTracerProvider, trace.NoOpTracerProvider)):
        return []
    modules = {alias: getattr(connections[alias], "Database", None) for alias in connections}
    used = {alias: module.__name__.partition(".")[0] for alias, module in modules.items() if module is not None}
    return drivers(used, runtime.get().config.disabled_instrumentations)


def check_environment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Variables that take effect against us."""
    return environment(conf.multiproc_dir(), sdk_disabled=runtime.get().config.sdk_disabled)


def check_settings_module(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Whether the project's settings were read at all; to fire, it must be registered from outside the settings."""
    return [W011] if conf.emptied_by_instrumentation() else []


def check_privacy_of_spans(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Who exports spans, and who makes them."""
    found = runtime.get()
    return [] if found.store is None else privacy_of_spans(found.uncleaned, left(conf.get_middleware()))


def check_predecessor(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """django-prometheus, and its names."""
    return predecessor(
        [config.name for config in apps.get_app_configs()],
        conf.get_middleware(),
        {alias: settings["ENGINE"] for alias, settings in connections.settings.items()},
        {alias: settings["BACKEND"] for alias, settings in caches.settings.items()},
    )


def _endpoints(
    patterns: Sequence[URLPattern | URLResolver], namespaces: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], URLPattern]]:
    """Every pattern of our view, wrapped or not, and the namespaces it is in."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from _endpoints(pattern.url_patterns, inner)
        elif _is_metrics(pattern.callback):
            yield namespaces, pattern


def _is_metrics(view: Callable[..., Any]) -> bool:
    return inspect.unwrap(view) is inspect.unwrap(import_string(VIEW))


def _shadowed(endpoint: tuple[tuple[str, ...], URLPattern], urlconf: str) -> list[CheckMessage]:
    namespaces, pattern = endpoint
    if namespaces and not pattern.name:
        return []  # no way to ask for its path
    try:
        path = reverse(":".join((*namespaces, pattern.name)) if pattern.name else pattern.callback, urlconf=urlconf)
        match = resolve("/" + path.removeprefix(get_script_prefix()), urlconf=urlconf)
    except (NoReverseMatch, Resolver404):
        return []  # a path with parameters
    if _is_metrics(match.func):
        return []
    return [
        Warning(
            f"{path} does not reach the metrics: the pattern {match.route!r} comes earlier and leads to "
            f"{match._func_path}.",
            hint='Put path("", include("telemetry.urls")) before it.',
            id="telemetry.W004",
        )
    ]


def _instrumentation_installed(driver: str) -> bool:
    return find_spec(f"opentelemetry.instrumentation.{driver}") is not None
