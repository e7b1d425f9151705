"""The product's URLs."""

from django.urls import path

from upstream import views

urlpatterns = [
    path("claims/upload/", views.upload_claims, name="claims-upload"),
    path("claims/batches/", views.list_batches, name="claims-batches"),
    path("detection/run/", views.run_detection, name="detection-run"),
]
