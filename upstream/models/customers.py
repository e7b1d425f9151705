"""Whose claims are watched, who pays them, and what a customer's programs show to be let in."""

from __future__ import annotations

import hashlib
import secrets

from django.db import models


class Customer(models.Model):
    """A healthcare provider whose claims are watched; `code` is its id in files, URLs and metrics.

    `alert_email` is told of every alert; further ways are `AlertChannel`s.
    """

    code = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    alert_email = models.EmailField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.code


class Payer(models.Model):
    """An insurer; `code` is its id in files."""

    code = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.code


class ApiToken(models.Model):
    """What lets a program act for one customer; only its digest is kept, so it is shown once, when it is made."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.customer_id}"

    @classmethod
    def issue(cls, customer: Customer, name: str) -> tuple[ApiToken, str]:
        """A new token and the secret that is to be sent as `Authorization: Token …`."""
        secret = secrets.token_urlsafe(32)
        return cls.objects.create(customer=customer, name=name, digest=cls.digest_of(secret)), secret

    @staticmethod
    def digest_of(secret: str) -> str:
        """The digest (SHA-256, in hexadecimal) under which a secret is kept; it has entropy enough for no salt."""
        return hashlib.sha256(secret.encode()).hexdigest()
