"""Named, namespaced and unnamed routes."""

from django.http import HttpResponse
from django.urls import include, path

from telemetry.tests.project import settings, views

shop = (
    [
        path("item/<int:number>/", views.Item.as_view(), name="item"),
        path("unnamed/", views.ok),
    ],
    "shop",
)

urlpatterns = [
    path("ok", views.ok, name="ok"),
    path("slashed/", views.ok, name="slashed"),
    path("unnamed", views.ok),
    path("lambda", lambda request: HttpResponse("lambda")),
    path("large", views.large, name="large"),
    path("echo", views.echo, name="echo"),
    path("latin", views.latin, name="latin"),
    path("etag", views.etag, name="etag"),
    path("redirect", views.redirect, name="redirect"),
    path("boom", views.boom, name="boom"),
    path("missing", views.missing, name="missing"),
    path("denied", views.denied, name="denied"),
    path("shop/", include(shop)),
    path("template", views.template, name="template"),
    path("template/list", views.template_list, name="template-list"),
    path("template/broken", views.template_broken, name="template-broken"),
    path("stream", views.stream, name="stream"),
    path("stream/broken", views.stream_broken, name="stream-broken"),
    path("file", views.file, name="file"),
    path("async", views.asynchronous, name="async"),
    path("async/stream", views.asynchronous_stream, name="async-stream"),
    path("async/hanging", views.hanging, name="hanging"),
    path("async/hanging/stream", views.hanging_stream, name="hanging-stream"),
    path("database", views.database, name="database"),
]

if settings.STACK == "telemetry":
    urlpatterns.append(path("", include("telemetry.urls")))
