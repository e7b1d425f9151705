"""The API as customers use it, and the caches behind it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from telemetry.business._declare import counter
from telemetry.business._fit import Text
from telemetry.business.labels import CustomerId

_OWNER = "api"

Endpoint = Annotated[str, Text(length=100, values=50)]
"""The name of an endpoint, never a path with ids in it."""
ThrottleClass = Annotated[str, Text(length=100, values=10)]
"""The name of the limit that was hit."""
CacheKeyPrefix = Annotated[str, Text(length=64, values=50)]
"""The part of a cache key that says what is cached."""


class Method(StrEnum):
    """The method of an HTTP request (RFC 9110, RFC 5789)."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    OPTIONS = "OPTIONS"
    CONNECT = "CONNECT"
    TRACE = "TRACE"


@counter(
    "upstream_api_endpoint_calls",
    owner=_OWNER,
    unit="{call}",
    question="Which customers use which endpoints, how much?",
)
def API_ENDPOINT_CALLS(*, endpoint: Endpoint, method: Method, customer_id: CustomerId) -> None:
    """Calls of an API endpoint."""


@counter("upstream_api_rate_limit_hit", owner=_OWNER, unit="{call}", question="Which customers run into which limits?")
def API_RATE_LIMIT_HIT(*, endpoint: Endpoint, throttle_class: ThrottleClass, customer_id: CustomerId) -> None:
    """Calls refused by a rate limit."""


@counter("upstream_cache_hit", owner=_OWNER, unit="{value}", question="Do the caches save work?")
def CACHE_HIT(*, cache_key_prefix: CacheKeyPrefix) -> None:
    """Values found in the cache."""


@counter("upstream_cache_miss", owner=_OWNER, unit="{value}", question="Which caches are asked in vain?")
def CACHE_MISS(*, cache_key_prefix: CacheKeyPrefix) -> None:
    """Values not found in the cache."""
