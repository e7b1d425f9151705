"""Of URLs is shown what is harmless."""

from __future__ import annotations

import pytest

from telemetry.instrumentation import privacy
from telemetry.instrumentation.privacy import REDACTED

MASKED = f"/{REDACTED}"
SECRET = "s3cReT9xYz"
UUID = "550e8400-e29b-41d4-a716-446655440000"
NOT_SHOWN = (
    "token api-key X_API_KEY pass%77ord access_token SAMLResponse RelayState ticket sig hmac bearer dsn url "
    "callback next _changelist_filters customer q last_name__startswith name__icontains dob__gte filter[name] "
    "user_id user.id user[password] term subject filename cursor keyword status x page__gte filter[page]"
)
pytestmark = pytest.mark.usefixtures("only_what_is_built_in")


class TestQuery:
    @pytest.mark.parametrize(
        "given",
        [
            *("page=2", "page_size=10", "Page-Size=10", "p=1&o=2.-1", "limit=100&offset=-1", "p%61ge=2"),
            *("ordering=-created,name", "sort=name&dir=asc", "format=json", "lang=pt-BR", "", "&&", "token=&page="),
        ],
    )
    def test_shows_harmless_values_of_harmless_names(self, given: str) -> None:
        assert given == privacy.query(given)

    @pytest.mark.parametrize(
        "value",
        [
            *("/admin/claim/%3Fq%3Ds3cret", "/reset%3Ftoken%3Ds3cret", "q%3Ds3cret", "https://u:s3cret@h/", "s3cret"),
            *("1;token=s3cret", "1=s3cret", "123-45-6789", "4111111111111111", "jane%40example.org", "s3cret+roe"),
        ],
    )
    def test_shows_no_other_value_of_them(self, value: str) -> None:
        for name in ("page", "ordering", "format"):
            assert f"{name}={REDACTED}&page=2" == privacy.query(f"{name}={value}&page=2")

    @pytest.mark.parametrize(
        "name",
        NOT_SHOWN.split(),
    )
    def test_shows_no_value_of_other_names(self, name: str) -> None:
        for value in ("s3cret", "7", "https://u:s3cret@h/?token=s3cret", "%252540"):
            assert f"{name}={REDACTED}&page=2" == privacy.query(f"{name}={value}&page=2")

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("bare", REDACTED),
            ("...", REDACTED),
            ("p%2561ssword=7", f"{REDACTED}={REDACTED}"),
            ("=7", f"{REDACTED}={REDACTED}"),
            ("jane%40example.org=1", f"{REDACTED}={REDACTED}"),
            ("Jane+Roe=1", f"{REDACTED}={REDACTED}"),
            ("123-45-6789=1", f"{REDACTED}={REDACTED}"),
            ("x" * 100 + "=1", f"{REDACTED}={REDACTED}"),
        ],
    )
    def test_shows_of_names_only_what_may_be_one(self, given: str, shown: str) -> None:
        assert shown == privacy.query(given)

    def test_ends_somewhere_and_not_within_a_value(self) -> None:
        shown = privacy.query("page=1&" * 10_000)
        assert shown.endswith("&page=1&...")
        assert len(shown) < 2_100

    def test_takes_the_projects_names(self) -> None:
        given = "ward=west&fields=a,b&page=2"
        assert f"ward={REDACTED}&fields={REDACTED}&page=2" == privacy.query(given)
        privacy.configure(parameters=["Ward", "fields"])
        assert given == privacy.query(given)
        assert f"ward={REDACTED}&fields={REDACTED}" == privacy.query("ward=jane%40example.org&fields=%3Fq%3D1")
        privacy.configure(parameters=["ward", "fields"], names=["ward", "page"])
        assert f"ward={REDACTED}&fields=a,b&page={REDACTED}" == privacy.query(given)
        privacy.configure(parameters=["ward", "fields"], names=["*"])
        assert f"ward={REDACTED}&fields={REDACTED}&page={REDACTED}" == privacy.query(given)


class TestUrl:
    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("hooks.slack.com/services/T024BE7LD/B024BE7LH/Xa1RbXsHyZ2cGd3", f"hooks.slack.com/services{3 * MASKED}"),
            ("discord.com/api/webhooks/112233445566778899/a_B1-c2D3_e", f"discord.com/api/webhooks{2 * MASKED}"),
            ("api.telegram.org/bot110201543:AAHdqTcvCH1vGWJ/sendMessage", f"api.telegram.org{MASKED}/sendMessage"),
            ("hooks.zapier.com/hooks/catch/1234567/bx12yza/", f"hooks.zapier.com/hooks/catch/1234567{MASKED}/"),
            (f"x.webhook.office.com/webhookb2/{UUID}@{UUID}/IncomingWebhook/{32 * 'a'}",
             f"x.webhook.office.com/webhookb2{MASKED}/IncomingWebhook{MASKED}"),
            (f"h/{'Ab' * 40}/{'a' * 21}/{'x-' * 33}", f"h{3 * MASKED}"),
            ("h/members/123456789/jane%20roe", f"h/members{2 * MASKED}"),
            ("u:p@h:8443/api/v1/", "h:8443/api/v1/"),
            ("u:p@h", "h"),
        ],
    )  # fmt: skip
    def test_shows_no_part_of_a_path_that_may_be_a_secret(self, given: str, shown: str) -> None:
        assert f"https://{shown}" == privacy.url(f"https://{given}")
        assert f"https://{shown}" == privacy.url(f"https://{shown}")

    @pytest.mark.parametrize(
        "path",
        ["", "/", "/items/7/", "/API/v1/IncomingWebhook", "/2025-01-31/claims_20250131.csv", "/oauth2/token", "/a//b~c",
         "/documents:batchUpdate", "/sha256", "/1.0.12/", "/-/ready"],
    )  # fmt: skip
    def test_leaves_words_numbers_and_dates(self, path: str) -> None:
        assert f"http://h{path}" == privacy.url(f"http://h{path}")

    def test_of_ones_own_paths_nothing_but_shapes(self) -> None:
        assert "/reset/c3x1f2a9b/" == privacy.url("/reset/c3x1f2a9b/")

    def test_hides_credentials_without_a_scheme_too(self) -> None:
        assert f"//h/x?token={REDACTED}" == privacy.url("//u:s3cret@h/x?token=s3cret")

    def test_in_messages_where_those_are_allowed(self) -> None:
        privacy.configure(exception_messages=True)
        for quoted in (f"/hooks/{SECRET}?token={SECRET}", f"https://u:{SECRET}@h/hooks/{SECRET}", f"'/{SECRET}'"):
            told = privacy.attributes({"exception.message": f"Max retries exceeded with url: {quoted} (by {SECRET})"})
            assert "cReT" not in told["exception.message"]
        assert "a and/or b ?" == privacy.attributes({"exception.message": "a and/or b (c)"})["exception.message"]


class TestPath:
    @pytest.mark.parametrize(
        ("path", "captured", "shown"),
        [
            ("/claims/jane-roe/change/", ("jane-roe",), f"/claims/{REDACTED}/change/"),
            ("/a/a/b/", ("a",), f"/{REDACTED}/{REDACTED}/b/"),
            ("/files/jane/roe.csv", ("jane/roe.csv",), f"/files/{REDACTED}"),
            ("/report-jane.html", ("jane",), f"/report-{REDACTED}.html"),
            ("/items/7/", ("7", 7, None, ""), "/items/7/"),
            (f"/items/{UUID}/", (UUID,), f"/items/{UUID}/"),
            ("/items/4111111111111111/", ("4111111111111111",), f"/items/{REDACTED}/"),
            ("/people/jane@example.org/", (), f"/people/{REDACTED}/"),
        ],
    )
    def test_shows_of_what_was_captured_numbers_and_uuids(
        self, path: str, captured: tuple[object, ...], shown: str
    ) -> None:
        assert shown == privacy.path(path, captured)
