"""A small project on django-prometheus, with most of what can be set and subclassed, as files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from telemetry.tests.compare.test_command import DASHBOARD, RULES

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for tests only"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "mysite.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    'django_prometheus',
    "shop",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
DATABASES = {"default": {"ENGINE": "django_prometheus.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
CACHES = {
    "default": {"BACKEND": "django_prometheus.cache.backends.locmem.LocMemCache"},
    "files": {
        "BACKEND": "django_prometheus.cache.backends.filebased.FileBasedCache",
        "LOCATION": BASE_DIR / "cache",
    },
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"page.html": "page"})]},
    }
]
LOGGING = {"version": 1, "loggers": {"django_prometheus": {"level": "ERROR"}}}
PROMETHEUS_LATENCY_BUCKETS = (0.1, 0.5, 1, 5, float("inf"))
PROMETHEUS_METRIC_NAMESPACE = "acme"
PROMETHEUS_EXPORT_MIGRATIONS = True
"""
METRICS = """
import prometheus_client

orders = prometheus_client.Counter("shop_orders", "The project's own.", ["kind"])
"""
LABELS = """
from django_prometheus.middleware import Metrics, PrometheusAfterMiddleware, PrometheusBeforeMiddleware


class OwnMetrics(Metrics):
    def register_metric(self, metric_cls, name, documentation, labelnames=(), **kwargs):
        if name == "django_http_exceptions_total_by_type":
            labelnames = [*labelnames, "plan"]
        return super().register_metric(metric_cls, name, documentation, labelnames=labelnames, **kwargs)


class BeforeMiddleware(PrometheusBeforeMiddleware):
    metrics_cls = OwnMetrics


class AfterMiddleware(PrometheusAfterMiddleware):
    metrics_cls = OwnMetrics

    def label_metric(self, metric, request, response=None, **labels):
        if metric._name.endswith("django_http_exceptions_total_by_type"):
            labels["plan"] = "free"
        return super().label_metric(metric, request, response=response, **labels)
"""
URLS = """
from django.core.cache import caches
from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import include, path

from mysite.metrics import orders
from shop.models import Order


def order(request):
    Order.objects.create(title="a").delete()
    orders.labels("paper").inc()
    for cache in caches.all(initialized_only=False) or [caches["default"], caches["files"]]:
        cache.set("there", 1)
        cache.get("there"), cache.get("nowhere")
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")
    except DatabaseError:
        pass
    return HttpResponse("ordered")


def broken(request):
    raise ValueError("for the test")


urlpatterns = [
    path("order", order, name="order"),
    path("broken", broken, name="broken"),
    path("page", lambda request: TemplateResponse(request, "page.html"), name="page"),
    path("", include("django_prometheus.urls")),
]
"""
MODELS = """
from django.db import models
from django_prometheus.models import ExportModelOperationsMixin


class Order(ExportModelOperationsMixin("order"), models.Model):
    title = models.CharField(max_length=40)
"""
MIGRATION = """
import django_prometheus.models
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=40)),
            ],
            bases=(django_prometheus.models.ExportModelOperationsMixin("order"), models.Model),
        ),
    ]
"""
TESTS = """
from django.test import TestCase
from django_prometheus.testutils import assert_metric_diff, save_registry

from shop.models import Order


class TestOrder(TestCase):
    def test_is_counted(self):
        before = save_registry()
        Order.objects.create(title="a")
        assert_metric_diff(before, 1, "acme_django_model_inserts_total", model="order")
"""
MANAGE = """
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""
WSGI = """
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""
FILES = {
    "manage.py": MANAGE,
    "mysite/__init__.py": "",
    "mysite/settings.py": SETTINGS,
    "mysite/labels.py": LABELS,
    "mysite/metrics.py": METRICS,
    "mysite/urls.py": URLS,
    "mysite/wsgi.py": WSGI,
    "shop/__init__.py": "",
    "shop/models.py": MODELS,
    "shop/tests.py": TESTS,
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": MIGRATION,
    "grafana/django.json": json.dumps(DASHBOARD).replace("django_", "acme_django_"),
    "rules/django.yml": RULES.replace("django_", "acme_django_"),
}


def write(directory: Path, *, labels: bool) -> None:
    """The project, in a git repository of its own; with middlewares that have `labels` of their own, or stock ones."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if labels:
            text = text.replace("django_prometheus.middleware.Prometheus", "mysite.labels.")
        path.write_text(text.lstrip())
    for command in (["git", "init", "--quiet"], ["git", "add", "."]):
        subprocess.run(command, cwd=directory, check=True)
