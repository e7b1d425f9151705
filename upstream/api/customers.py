"""The customer whose token it is."""

from __future__ import annotations

from rest_framework.mixins import RetrieveModelMixin
from rest_framework.serializers import ModelSerializer

from upstream.api.base import CustomersOwn
from upstream.models import Customer


class CustomerSerializer(ModelSerializer[Customer]):
    """A customer; `code` is its id in files of claims and on metrics."""

    class Meta:
        model = Customer
        fields = ("code", "name", "alert_email", "created_at")


class CustomerView(RetrieveModelMixin, CustomersOwn):
    """The customer that the token is of."""

    owner = "pk"
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer
    # There is one: it needs no id.
    lookup_field = "pk"

    def get_object(self) -> Customer:
        customer: Customer = self.get_queryset().get()
        return customer
