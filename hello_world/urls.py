"""Every URL of the service."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.http import require_safe


@require_safe
def index(request: HttpRequest) -> JsonResponse:
    """What this service is."""
    return JsonResponse({"service": "upstream"})


urlpatterns = [
    path("", index, name="index"),
    path("", include("upstream.urls")),
    path("", include("telemetry.urls")),
]
handler400 = "upstream.api.errors.bad_request"
handler404 = "upstream.api.errors.page_not_found"
handler500 = "upstream.api.errors.server_error"
