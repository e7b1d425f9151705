"""What every endpoint is: one customer's rows and no others, counted, throttled, answered in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Model, QuerySet
from django.views.decorators.common import no_append_slash
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from upstream import metrics
from upstream.api.authentication import customer_of
from upstream.api.errors import Refused
from upstream.api.pagination import NewestFirst
from upstream.models import Customer
from upstream.text import shorten
from upstream.uploads import UploadRefused, announced


class JsonOnly(DefaultContentNegotiation):
    """Answers in JSON, errors too, whatever else the client would rather have."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


class CustomersView(APIView):
    """A view for one customer; its calls are counted, and those that a limit refuses, once each.

    The label `endpoint` is the name of the URL pattern, which never has an id in it.
    """

    content_negotiation_class = JsonOnly

    @property
    def customer(self) -> Customer:
        """For whom the request is made; there is one wherever the view's permissions let a request in."""
        customer = customer_of(self.request)
        if customer is None:
            raise TypeError(f"{type(self).__name__} has no customer: its permission_classes must have IsCustomer")
        return customer

    @property
    def endpoint(self) -> str:
        """The view's name on the metrics."""
        match = self.request.resolver_match
        return (match and match.url_name) or type(self).__name__

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        customer, method = customer_of(request), str(request.method)
        # What is no method of HTTP is refused, and is no value of a label.
        if customer and method.lower() in self.http_method_names:
            metrics.track_api_call(self.endpoint, method, customer.code)

    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        view = super().as_view(*args, **kwargs)
        # Of a redirected POST clients make a GET: a path without its slash is answered with the right one.
        return no_append_slash(view)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        try:
            # The parsers take a body of malformed length for none.
            announced(request._request)
        except UploadRefused as error:
            raise Refused(error.status, str(error)) from error

    def check_throttles(self, request: Request) -> None:
        refused = [
            (throttle.wait() or 1.0, str(getattr(throttle, "scope", type(throttle).__name__)))
            for throttle in self.get_throttles()
            if not throttle.allow_request(request, self)
        ]
        if refused:
            wait, scope = max(refused)
            metrics.track_rate_limit_hit(self.endpoint, scope, self.customer.code)
            raise Throttled(wait, f"too many calls: the customer's limit {scope!r} is reached")


class Filters(Serializer[Any]):
    """The query parameters of a list; the `source` of each is the look-up that it narrows the list by."""

    def to_internal_value(self, data: Any) -> Any:
        known = {*self.fields, NewestFirst.cursor_query_param, NewestFirst.page_size_query_param}
        if unknown := sorted(set(data) - known):
            # To ignore a misspelt filter would answer with what was not asked for.
            raise ValidationError(
                {
                    shorten(name): f"is no parameter of this list; valid are {', '.join(sorted(known))}"
                    for name in unknown
                }
            )
        return super().to_internal_value(data)


class CustomersOwn(CustomersView, GenericViewSet[Any]):
    """An endpoint over rows that are a customer's: all others are, to this customer, not there.

    `owner` is the look-up from a row to whose it is. Every row that an endpoint reads or changes comes
    from `get_queryset`, which no endpoint overrides: it names its rows in `queryset`.
    """

    owner = "customer"
    filters: type[Filters] = Filters
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Any, Any]:
        rows: QuerySet[Model, Model] = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            # The schema is written for nobody in particular.
            return rows.none()
        return rows.filter(**{self.owner: self.customer.pk})

    def filter_queryset(self, queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        if self.action != "list":
            return queryset
        wanted = self.filters(data=self.request.query_params)
        wanted.is_valid(raise_exception=True)
        return queryset.filter(**wanted.validated_data)
