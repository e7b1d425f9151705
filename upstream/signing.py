"""The signature on a webhook, as Standard Webhooks 1.0 has it, so that its libraries check it too.

A request carries three headers beside its body:

- `webhook-id`: the message's id, the same however often it is sent; a receiver that has handled it answers 2xx
  and does nothing;
- `webhook-timestamp`: when this request was signed, in whole seconds since 1970 UTC;
- `webhook-signature`: signatures divided by spaces, each `v1,` and a base64 text; one that is right is enough.

To check it, a receiver takes the bytes of `ID.TIMESTAMP.BODY`, the body as it came, before any parsing; computes
their HMAC-SHA256 under the channel's secret; compares its base64 with each `v1` signature in constant time; and
refuses a timestamp that is more than five minutes from its own clock. The key is what `whsec_` is followed by,
decoded from base64; a secret that does not begin so is the key itself, in UTF-8. `verify` does all of this.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping

TOLERANCE = 300
"""Seconds that a request's timestamp may be away from the receiver's clock."""
_PREFIX = "whsec_"
_VERSION = "v1"


class InvalidSignature(Exception):
    """A request was not signed with the secret, or not lately."""


def new_secret() -> str:
    """A secret for a channel: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header.

    Raises:
        ValueError: the secret is empty, or its base64 is not valid; the message does not quote it.
    """
    return f"{_VERSION},{base64.b64encode(_digest(secret, message_id, str(timestamp), body)).decode()}"


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None, tolerance: float = TOLERANCE
) -> str:
    """Check a request as a receiver does; its `webhook-id`, by which a repetition is known.

    `headers` are taken by name in any case. `now` is the receiver's clock, in seconds since 1970 UTC.

    Raises:
        InvalidSignature: a header is missing, the timestamp is too far from `now`, or no signature is right.
        ValueError: as in `sign`.
    """
    given = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not given.get(name)]
    if missing:
        raise InvalidSignature(f"the request has no {' and no '.join(missing)}")
    message_id, timestamp = given["webhook-id"], given["webhook-timestamp"]
    if not timestamp.isascii() or not timestamp.isdigit():
        raise InvalidSignature(f"webhook-timestamp: {timestamp[:40]!r} is not a whole number of seconds")
    away = abs((time.time() if now is None else now) - int(timestamp))
    if away > tolerance:
        raise InvalidSignature(f"webhook-timestamp: {away:.0f} s from now; valid is up to {tolerance:g} s")
    expected = _digest(secret, message_id, timestamp, body)
    if not any(hmac.compare_digest(expected, each) for each in _signatures(given["webhook-signature"])):
        raise InvalidSignature("webhook-signature: no signature is that of this body under this secret")
    return message_id


def _signatures(header: str) -> list[bytes]:
    found = []
    for part in header.split():
        version, _, signature = part.partition(",")
        try:
            decoded = base64.b64decode(signature, validate=True)
        except ValueError:
            continue
        if version == _VERSION:
            found.append(decoded)
    return found


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> bytes:
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    return hmac.new(_key(secret), content, hashlib.sha256).digest()


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except ValueError:
            raise ValueError(f"the secret is not {_PREFIX} followed by base64") from None
    if not key:
        raise ValueError("the secret is empty")
    return key
