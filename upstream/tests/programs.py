"""Customers' programs, as tests play them."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from upstream.models import ApiToken, Customer

API = "/api/v1/"


def program(customer: Customer) -> Client:
    """A client with a token of its own for this customer; what breaks in a view is a 500 to it."""
    _, secret = ApiToken.issue(customer, "a program")
    return bearer(secret)


def bearer(secret: str) -> Client:
    """A client that shows this token."""
    return Client(enforce_csrf_checks=True, raise_request_exception=False, headers={"Authorization": f"Token {secret}"})


def file(content: bytes, name: str = "claims.csv") -> SimpleUploadedFile:
    """A file to be sent."""
    return SimpleUploadedFile(name, content, content_type="text/csv")


def results(answer: Any) -> list[dict[str, Any]]:
    """The rows of a page."""
    assert 200 == answer.status_code, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found
