"""Lets a program in by its token, for the one customer that the token is of."""

from __future__ import annotations

from typing import Any

from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from upstream.models import ApiToken, Customer


class TokenAuthentication(authentication.TokenAuthentication):
    """`Authorization: Token …`; the request's user is then the customer, its `auth` the `ApiToken`.

    A token that was never issued and one that was revoked are refused by the same query and the same words.
    What is looked up is a digest, so the time that it takes tells nothing of the secrets there are.
    """

    def authenticate_credentials(self, key: str) -> Any:
        digest = ApiToken.digest_of(key)
        token = ApiToken.objects.select_related("customer").filter(digest=digest, revoked_at=None).first()
        if token is None:
            raise AuthenticationFailed("the token in the header 'Authorization' is not valid, or not any more")
        return token.customer, token


class IsCustomer(BasePermission):
    """Only those whom a token let in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return customer_of(request) is not None


def customer_of(request: Request) -> Customer | None:
    """The customer for whom a request is made; None where no token let it in."""
    user: object = request.user
    return user if isinstance(user, Customer) else None
