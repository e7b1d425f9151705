"""The description of the API (OpenAPI 3), and what all of its endpoints answer alike."""

from __future__ import annotations

from typing import Any

from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView

from upstream.api.authentication import IsCustomer
from upstream.api.base import CustomersView

_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_REFUSALS = {
    "400": "A parameter or the body is not valid; the message names it.",
    "401": "The header `Authorization: Token …` is missing, or its token is not valid.",
    "404": "The customer has nothing with this id.",
    "409": "It is not there yet.",
    "413": "The body, or a file in it, is too large.",
    "429": "A limit on the customer's calls is reached.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


class SchemaView(CustomersView, SpectacularAPIView):
    """The description of this API."""

    permission_classes = [IsCustomer]
    renderer_classes = [OpenApiJsonRenderer2]


def add_refusals(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Describe the refusals that no single view declares: of a token, a limit, an id, a body or a parameter."""
    for operations in result["paths"].values():
        for operation in operations.values():
            places = {parameter["in"] for parameter in operation.get("parameters", ())}
            statuses = {"401", "429"}
            if "path" in places:
                statuses.add("404")
            if "query" in places or "requestBody" in operation:
                statuses.add("400")
            if "requestBody" in operation:
                statuses.add("413")
            answers = operation["responses"]
            for status in sorted(statuses | (set(answers) & set(_REFUSALS))):
                answers[status] = {"description": _REFUSALS[status], "content": _ERROR}
            answers["429"]["headers"] = _RETRY_AFTER
    return result
