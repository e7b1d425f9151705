"""`path("", include("telemetry.urls"))` gives the endpoint, under django-prometheus's path and name."""

from django.urls import path

from telemetry import views

urlpatterns = [path("metrics", views.metrics, name="prometheus-django-metrics")]
