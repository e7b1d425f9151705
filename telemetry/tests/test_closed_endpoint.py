"""Who may scrape: the token, the networks, the proxy's header, and settings that are refused."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from django.test import AsyncClient, Client, override_settings

from telemetry import conf, runtime
from telemetry.errors import ConfigurationError

TOKEN = "q7Z-long.enough_and+odd/chars~=="
Close = Callable[..., None]


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> Close:
    """Serve with these settings, read as they are read at the start."""

    def apply(**given: Any) -> None:
        with override_settings(**given):
            loaded = conf.load()
        config = dataclasses.replace(
            runtime.get().config,
            metrics_token=loaded.metrics_token,
            metrics_networks=loaded.metrics_networks,
            metrics_proxy_header=loaded.metrics_proxy_header,
        )
        monkeypatch.setattr(runtime.get(), "config", config)

    return apply


class TestToken:
    @pytest.mark.parametrize("sent", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
    def test_who_has_it_sees_the_metrics(self, sent: str, client: Client, close: Close) -> None:
        close(TELEMETRY_METRICS_TOKEN=TOKEN)
        response = client.get("/metrics", headers={"Authorization": sent})
        assert 200 == response.status_code
        assert b"# TYPE django_http_requests_total_by_method_total counter" in response.content

    @pytest.mark.parametrize(
        ("sent", "challenge"),
        [
            (None, 'Bearer realm="metrics"'),
            ("", 'Bearer realm="metrics"'),
            (f"Basic {TOKEN}", 'Bearer realm="metrics"'),
            (TOKEN, 'Bearer realm="metrics"'),
            ("Bearer", 'Bearer realm="metrics", error="invalid_token"'),
            (f"Bearer {TOKEN[:-1]}", 'Bearer realm="metrics", error="invalid_token"'),
            (f"Bearer {TOKEN}x", 'Bearer realm="metrics", error="invalid_token"'),
            (f"Bearer {TOKEN.lower()}", 'Bearer realm="metrics", error="invalid_token"'),
            ("Bearer \xe9\xff", 'Bearer realm="metrics", error="invalid_token"'),
        ],
    )
    def test_who_has_it_not_is_told_how_to_ask(
        self, sent: str | None, challenge: str, client: Client, close: Close
    ) -> None:
        close(TELEMETRY_METRICS_TOKEN=TOKEN)
        response = client.get("/metrics", headers={} if sent is None else {"Authorization": sent})
        assert (401, challenge) == (response.status_code, response["WWW-Authenticate"])
        assert b"# TYPE" not in response.content
        assert TOKEN.encode() not in response.content
        assert "no-store" in response["Cache-Control"]

    def test_in_an_async_stack(self, close: Close) -> None:
        close(TELEMETRY_METRICS_TOKEN=TOKEN)
        assert 401 == asyncio.run(AsyncClient().get("/metrics")).status_code
        answer = asyncio.run(AsyncClient().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}))
        assert 200 == answer.status_code

    def test_is_not_shown_by_the_configuration(self) -> None:
        with override_settings(TELEMETRY_METRICS_TOKEN=TOKEN):
            assert TOKEN not in repr(conf.load())


class TestNetworks:
    @pytest.mark.parametrize(
        ("address", "status"),
        [
            ("10.1.2.3", 200),
            ("::ffff:10.1.2.3", 200),
            ("192.0.2.7", 200),
            ("2001:db8::5", 200),
            ("11.1.2.3", 403),
            ("::ffff:11.1.2.3", 403),
            ("192.0.2.8", 403),
            ("2001:db9::5", 403),
            ("", 403),
            ("unix:", 403),
        ],
    )
    def test_only_those_within(self, address: str, status: int, client: Client, close: Close) -> None:
        close(TELEMETRY_METRICS_ALLOWED_NETWORKS=["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])
        response = client.get("/metrics", REMOTE_ADDR=address)
        assert status == response.status_code
        if status == 403:
            assert f"'{address}' is in none of TELEMETRY_METRICS_ALLOWED_NETWORKS" in response.content.decode()

    def test_a_header_that_is_not_named_says_nothing(self, client: Client, close: Close) -> None:
        close(TELEMETRY_METRICS_ALLOWED_NETWORKS=["10.0.0.0/8"])
        forwarded = {"X-Forwarded-For": "10.0.0.9"}
        assert 403 == client.get("/metrics", REMOTE_ADDR="203.0.113.9", headers=forwarded).status_code
        forwarded = {"X-Forwarded-For": "203.0.113.9"}
        assert 200 == client.get("/metrics", REMOTE_ADDR="10.0.0.9", headers=forwarded).status_code

    @pytest.mark.parametrize(
        ("address", "forwarded", "status"),
        [
            ("10.0.0.1", None, 200),
            ("10.0.0.1", "10.0.0.9", 200),
            ("10.0.0.1", "10.0.0.9, 10.0.0.2", 200),
            ("10.0.0.1", "203.0.113.9", 403),
            ("10.0.0.1", "10.0.0.9, 203.0.113.9", 403),
            ("10.0.0.1", "203.0.113.9, 10.0.0.2", 403),
            ("10.0.0.1", "", 403),
            ("10.0.0.1", "unknown", 403),
            ("203.0.113.9", "10.0.0.9", 403),
        ],
    )
    def test_behind_a_proxy_everybody_on_the_way(
        self, address: str, forwarded: str | None, status: int, client: Client, close: Close
    ) -> None:
        close(TELEMETRY_METRICS_ALLOWED_NETWORKS=["10.0.0.0/8"], TELEMETRY_METRICS_PROXY_HEADER="X-Forwarded-For")
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        assert status == client.get("/metrics", REMOTE_ADDR=address, headers=headers).status_code

    def test_and_the_token_too(self, client: Client, close: Close) -> None:
        close(TELEMETRY_METRICS_ALLOWED_NETWORKS=["10.0.0.0/8"], TELEMETRY_METRICS_TOKEN=TOKEN)
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert 200 == client.get("/metrics", REMOTE_ADDR="10.0.0.1", headers=bearer).status_code
        assert 401 == client.get("/metrics", REMOTE_ADDR="10.0.0.1").status_code
        assert 403 == client.get("/metrics", REMOTE_ADDR="11.0.0.1", headers=bearer).status_code


class TestSettings:
    @pytest.mark.parametrize("given", [None, "", [], ()])
    def test_nothing_given_is_open(self, given: Any) -> None:
        with override_settings(TELEMETRY_METRICS_TOKEN=given or "", TELEMETRY_METRICS_ALLOWED_NETWORKS=given):
            config = conf.load({})
        assert ("", (), "") == (config.metrics_token, config.metrics_networks, config.metrics_proxy_header)

    @pytest.mark.parametrize("given", ["se cret", "sécret", "secret\n", "=secret", 'sec"ret', b"secret", 1234])
    def test_a_token_that_cannot_be_sent_is_refused_and_not_quoted(self, given: Any) -> None:
        with override_settings(TELEMETRY_METRICS_TOKEN=given), pytest.raises(ConfigurationError) as refused:
            conf.load({})
        assert str(refused.value).startswith("TELEMETRY_METRICS_TOKEN: ")
        assert "ASCII letters" in str(refused.value)
        assert not any(secret in str(refused.value) for secret in ("cret", "1234"))

    @pytest.mark.parametrize(
        ("name", "given", "said"),
        [
            ("ALLOWED_NETWORKS", "10.0.0.0/8", "'10.0.0.0/8' is not a list of networks"),
            ("ALLOWED_NETWORKS", 7, "7 is not a list of networks"),
            ("ALLOWED_NETWORKS", ["10.0.0.0/8", "intranet"], "'intranet' is not a network"),
            ("ALLOWED_NETWORKS", ["10.0.0.1/8"], "'10.0.0.1/8' is not a network: 10.0.0.1/8 has host bits set"),
            ("ALLOWED_NETWORKS", [10], "10 is not a network"),
            ("PROXY_HEADER", "X Forwarded", "'X Forwarded' is not the name of a header"),
            ("PROXY_HEADER", True, "True is not the name of a header"),
            ("PROXY_HEADER", "X-Forwarded-For", "without TELEMETRY_METRICS_ALLOWED_NETWORKS"),
        ],
    )
    def test_a_wrong_setting_is_named(self, name: str, given: Any, said: str) -> None:
        name = f"TELEMETRY_METRICS_{name}"
        with override_settings(**{name: given}), pytest.raises(ConfigurationError) as refused:
            conf.load({})
        assert str(refused.value).startswith(f"{name}: ")
        assert said in str(refused.value)
