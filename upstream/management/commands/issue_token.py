"""`manage.py issue_token --customer CODE --name NAME [--revoke]`: lets a program in, or not any more."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from upstream.management.customers import find_customer
from upstream.models import ApiToken


class Command(BaseCommand):
    help = (
        "Prints a new token for a customer's program, once: only its digest is kept. "
        "With --revoke, ends those of this name instead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, help="code of the customer for whom the program acts")
        parser.add_argument("--name", required=True, help="what the program is called")
        parser.add_argument("--revoke", action="store_true", help="end the customer's tokens of this name")

    def handle(self, *args: Any, customer: str, name: str, revoke: bool, **options: Any) -> None:
        owner = find_customer(customer)
        longest = ApiToken._meta.get_field("name").max_length or 0
        if not 1 <= len(name) <= longest:
            raise CommandError(f"--name: {len(name)} characters are not 1 to {longest}")
        if not revoke:
            _, secret = ApiToken.issue(owner, name)
            self.stdout.write(secret)
            return
        valid = ApiToken.objects.filter(customer=owner, revoked_at=None)
        revoked = valid.filter(name=name).update(revoked_at=timezone.now())
        if not revoked:
            names = ", ".join(sorted(set(valid.values_list("name", flat=True)))) or "none"
            raise CommandError(f"{name!r} is no token of {customer!r} that is valid; valid are: {names}")
        self.stdout.write(f"{revoked} revoked")
