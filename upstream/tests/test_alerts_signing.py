"""Signatures, computed here a second time from what Standard Webhooks says, not by the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from upstream import alerts, signing

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
KEY = b"0123456789abcdef0123456789abcdef"
NOW = 1_750_000_000
BODY = '{"title":"Über 5 %"}'.encode()


def signature(key: bytes, body: bytes = BODY, now: int = NOW) -> str:
    digest = hmac.new(key, f"id-1.{now}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(signed: str, now: int | str = NOW) -> dict[str, str]:
    return {"Webhook-Id": "id-1", "Webhook-Timestamp": str(now), "Webhook-Signature": signed}


class TestSign:
    @pytest.mark.parametrize(("secret", "key"), [(SECRET, KEY), ("plain ü", "plain ü".encode())])
    def test_is_the_hmac_of_id_time_and_body(self, secret: str, key: bytes) -> None:
        assert signature(key) == signing.sign(secret, "id-1", NOW, BODY)

    @pytest.mark.parametrize("secret", ["", "whsec_", "whsec_no base64!", "whsec_abc"])
    def test_needs_a_secret(self, secret: str) -> None:
        with pytest.raises(ValueError, match="the secret is") as raised:
            signing.sign(secret, "id-1", NOW, BODY)
        assert "abc" not in str(raised.value)
        assert "no base64!" not in str(raised.value)


class TestNewSecret:
    def test_has_32_bytes_that_are_new(self) -> None:
        first, second = alerts.new_secret(), alerts.new_secret()
        assert first != second
        assert ("whsec_", 32) == (first[:6], len(base64.b64decode(first[6:])))
        assert "id-1" == alerts.verify(first, headers(signing.sign(first, "id-1", NOW, BODY)), BODY, now=NOW)


class TestVerify:
    def test_right(self) -> None:
        assert "id-1" == alerts.verify(SECRET, headers(signature(KEY)), BODY, now=NOW)

    def test_one_of_several_is_enough(self) -> None:
        several = f"v1a,AAAA v1,%%% v1,AAAA {signature(KEY)}"
        assert "id-1" == alerts.verify(SECRET, headers(several), BODY, now=NOW)

    @pytest.mark.parametrize("away", [-300, 300])
    def test_within_the_tolerance(self, away: int) -> None:
        assert "id-1" == alerts.verify(SECRET, headers(signature(KEY)), BODY, now=NOW + away)

    @pytest.mark.parametrize(
        ("given", "body", "now", "why"),
        [
            (headers(signature(b"another key")), BODY, NOW, "no signature is that"),
            (headers(signature(KEY)), BODY + b" ", NOW, "no signature is that"),
            (headers(signature(KEY), NOW + 1), BODY, NOW, "no signature is that"),
            (headers(signature(KEY)) | {"Webhook-Id": "id-2"}, BODY, NOW, "no signature is that"),
            (headers(signature(KEY).replace("v1,", "v2,")), BODY, NOW, "no signature is that"),
            (headers("v1,"), BODY, NOW, "no signature is that"),
            (headers(signature(KEY)), BODY, NOW + 301, "301 s from now; valid is up to 300 s"),
            (headers(signature(KEY)), BODY, NOW - 301, "301 s from now; valid is up to 300 s"),
            (headers(signature(KEY), "soon"), BODY, NOW, "'soon' is not a whole number"),
            (headers(""), BODY, NOW, "has no webhook-signature"),
            ({}, BODY, NOW, "has no webhook-id and no webhook-timestamp and no webhook-signature"),
        ],
    )
    def test_wrong(self, given: dict[str, str], body: bytes, now: int, why: str) -> None:
        with pytest.raises(alerts.InvalidSignature, match=why):
            alerts.verify(SECRET, given, body, now=now)
