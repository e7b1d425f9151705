"""The endpoint that Prometheus scrapes."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache

from telemetry import runtime
from telemetry.conf import Config, Network


@login_not_required
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics of all processes, in the format that the Accept header asks for; never asks the database.

    403 for a client outside `TELEMETRY_METRICS_ALLOWED_NETWORKS`, 401 for one without `TELEMETRY_METRICS_TOKEN`.
    """
    served = runtime.get()
    refused = _refuse(request, served.config)
    if refused is not None:
        return refused
    headers = request.headers
    page = served.scrape(headers.get("Accept"), headers.get("Accept-Encoding"))
    response = HttpResponse(page.body, content_type=page.content_type)
    response["Vary"] = "Accept, Accept-Encoding"
    if page.encoding:
        response["Content-Encoding"] = page.encoding
    return response


def _refuse(request: HttpRequest, config: Config) -> HttpResponse | None:
    """The answer to a client who may not see the metrics (RFC 6750, section 3); None for one who may."""
    if config.metrics_networks:
        for address in _addresses(request, config.metrics_proxy_header):
            if not _is_in(address, config.metrics_networks):
                text = f"{address!a} is in none of TELEMETRY_METRICS_ALLOWED_NETWORKS.\n"
                return HttpResponse(text, status=403, content_type="text/plain")
    if config.metrics_token:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return _unauthorized('Bearer realm="metrics"')
        if not constant_time_compare(token.strip(), config.metrics_token):
            return _unauthorized('Bearer realm="metrics", error="invalid_token"')
    return None


def _addresses(request: HttpRequest, proxy_header: str) -> list[str]:
    """Everybody on the way whom we know of: a header that a client made up can only add to them."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    named = request.headers.get(proxy_header) if proxy_header else None
    return [peer] if named is None else [peer, *(address.strip() for address in named.split(","))]


def _is_in(given: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(given)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # how a socket of both families shows an IPv4 client
    return any(address in network for network in networks)


def _unauthorized(challenge: str) -> HttpResponse:
    text = "Send TELEMETRY_METRICS_TOKEN as a bearer token.\n"
    return HttpResponse(text, status=401, content_type="text/plain", headers={"WWW-Authenticate": challenge})
