"""Named, namespaced and unnamed routes, and where the metrics are."""

from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.cache import cache_page
from django.views.generic import RedirectView
from rest_framework.routers import SimpleRouter

from telemetry.tests.dropin.shop import api, data, views
from telemetry.tests.dropin.shop.stack import PACKAGE, STACK

router = SimpleRouter()
router.register("products", api.Products)

catalogue = (
    [
        path("", views.product_list, name="list"),
        path("<int:pk>/", views.ProductDetail.as_view(), name="detail"),
        path("new/", views.ProductCreate.as_view(), name="new"),
        path("unnamed/", views.home),
    ],
    "catalogue",
)

urlpatterns = [
    path("", views.home, name="home"),
    path("catalogue/", include(catalogue)),
    path("admin/", admin.site.urls),
    path("api/", include((router.urls, "api"))),
    path("api/<str:what>/", api.Failing.as_view(), name="api-failing"),
    path("unnamed", views.home),
    path("unnamed-class", views.Stock.as_view()),
    path("lambda", lambda request: HttpResponse("lambda")),
    path("stock/", views.Stock.as_view(), name="stock"),
    path("echo", views.echo, name="echo"),
    path("upload", views.upload, name="upload"),
    path("latin", views.latin, name="latin"),
    path("binary", views.binary, name="binary"),
    path("large", views.large, name="large"),
    path("etag", views.etag, name="etag"),
    path("fixed", views.fixed, name="fixed"),
    path("old", RedirectView.as_view(url="/", permanent=True), name="old"),
    path("account", views.account, name="account"),
    path("greet", views.greet, name="greet"),
    path("cached", cache_page(60, cache="files")(views.home), name="cached"),
    path("rendered", views.rendered, name="rendered"),
    path("template/list", views.template_list, name="template-list"),
    path("template/broken", views.template_broken, name="template-broken"),
    path("error/<str:kind>", views.error, name="error"),
    path("stream", views.stream, name="stream"),
    path("stream/broken", views.stream_broken, name="stream-broken"),
    path("file", views.file, name="file"),
    path("async", views.asynchronous, name="async"),
    path("async/error", views.asynchronous_error, name="async-error"),
    path("async/database", views.asynchronous_database, name="async-database"),
    path("async/cache", views.asynchronous_cache, name="async-cache"),
    path("async/stream", views.asynchronous_stream, name="async-stream"),
    path("async/hanging", views.hanging, name="hanging"),
    path("async/hanging/stream", views.hanging_stream, name="hanging-stream"),
    path("data/<str:step>", data.step, name="data"),
    path("cache/<str:step>", data.cache_step, name="cache"),
]
if PACKAGE:
    urlpatterns.append(path("", include(f"{PACKAGE}.urls")))
elif STACK == "telemetry":
    urlpatterns.append(path("", include("telemetry.urls")))
