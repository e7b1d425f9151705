"""One request on its way, from its beginning to its last byte."""

from __future__ import annotations

from django.http import HttpRequest

from telemetry.instrumentation.underway import Underway

ATTRIBUTE = "_telemetry_exchange"


class Exchange(Underway):
    """`owner` is the innermost of our After middlewares that the request has reached; `view` is known at its end.

    `pending` is what its beginning would have counted (ajax, body size), as long as it is, or may turn out
    to be, for a view that is excluded; None once it counts.
    """

    __slots__ = (
        "answered", "arrived", "entered", "error", "inner", "method", "owner", "pending", "protocol", "scheme", "view",
    )  # fmt: skip

    def __init__(self, store: object, arrived: float, method: str, scheme: str, protocol: str) -> None:
        super().__init__(store)
        self.arrived = arrived
        self.method = method
        self.scheme = scheme
        self.protocol = protocol
        self.inner = arrived
        self.owner: object = None
        self.entered = False
        self.answered = False
        self.error = ""
        self.view = ""
        self.pending: tuple[str, int] | None = None


def exchange_of(request: HttpRequest) -> Exchange | None:
    """The request's way; None where it has not begun or is excluded."""
    found: Exchange | None = request.__dict__.get(ATTRIBUTE)
    return found
