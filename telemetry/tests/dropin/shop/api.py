# mypy: disable-error-code="type-arg, misc, import-untyped"
"""The shop for programs, by Django REST framework."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from telemetry.tests.dropin.shop.models import Product


class ProductSerializer(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = ["id", "name", "price"]


class Products(viewsets.ModelViewSet):
    queryset = Product.objects.order_by("pk")
    serializer_class = ProductSerializer


class Failing(APIView):
    """Fails in the way that the URL names; the framework answers all but the last."""

    _RAISED: dict[str, type[Exception]] = {
        "unavailable": exceptions.APIException,
        "throttled": exceptions.Throttled,
        "unauthenticated": exceptions.NotAuthenticated,
        "forbidden": exceptions.PermissionDenied,
        "broken": ZeroDivisionError,
    }

    def get(self, request: Request, what: str) -> Response:
        raise self._RAISED[what]

    def post(self, request: Request, what: str) -> Response:
        data: Any = request.data
        return Response({"given": data})
