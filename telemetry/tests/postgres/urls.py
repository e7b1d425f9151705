"""The test project's views, and one that keeps items."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from telemetry.tests.postgres.models import Item
from telemetry.tests.project import views


def items(request: HttpRequest) -> HttpResponse:
    Item.objects.create(name="private-1", rank=4711)
    Item.objects.bulk_create(Item(name=f"private-{number}") for number in range(2, 5))
    Item.objects.filter(name="private-2").update(rank=4711)
    return HttpResponse(Item.objects.get(name="private-2", rank=4711).name)


urlpatterns = [path("ok", views.ok), path("database", views.database), path("items", items)]
