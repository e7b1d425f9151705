"""Who is let in, how often, and how each call is counted."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from upstream.models import ApiToken, Customer, Job
from upstream.settings import _env
from upstream.tests.conftest import Calls, line, named, stream
from upstream.tests.programs import API, bearer, file, program, results

JOBS = f"{API}jobs/"


@pytest.fixture
def web(customer: Customer) -> Client:
    return program(customer)


def issue(*arguments: str) -> str:
    out = io.StringIO()
    call_command("issue_token", *arguments, stdout=out)
    return out.getvalue().strip()


@pytest.mark.django_db
class TestToken:
    @pytest.mark.parametrize(
        ("header", "error"),
        [
            (None, "the header 'Authorization: Token …' is missing"),
            ("Bearer right", "the header 'Authorization: Token …' is missing"),
            ("Token", "Invalid token header. No credentials provided."),
            ("Token a b", "Invalid token header. Token string should not contain spaces."),
            ("Token wröng", "Invalid token header. Token string should not contain invalid characters."),
            ("Token wrong", "the token in the header 'Authorization' is not valid, or not any more"),
        ],
    )
    def test_none_or_a_wrong_one(self, header: str | None, error: str, tracked: Calls) -> None:
        answer = Client(headers={"Authorization": header} if header else {}).get(JOBS)
        assert (401, {"error": error}) == (answer.status_code, answer.json())
        assert "Token" == answer["WWW-Authenticate"]
        assert [] == tracked

    def test_its_digest_is_no_token(self, customer: Customer) -> None:
        token, _ = ApiToken.issue(customer, "a program")
        assert 401 == bearer(token.digest).get(JOBS).status_code

    def test_revoked(self, customer: Customer) -> None:
        token, secret = ApiToken.issue(customer, "a program")
        assert 200 == bearer(secret).get(JOBS).status_code
        ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
        revoked, unknown = bearer(secret).get(JOBS), bearer("wrong").get(JOBS)
        assert (401, unknown.content) == (revoked.status_code, revoked.content)

    def test_a_session_of_the_admin_is_none(self, admin_client: Client) -> None:
        assert 401 == admin_client.get(JOBS).status_code

    def test_the_customer_is_its_own(self, web: Client, customer: Customer) -> None:
        Customer.objects.create(code="other", name="O")
        body = web.get(f"{API}customer/").json()
        assert {"code": "mercy", "name": "Mercy West", "alert_email": "ops@mercy.example.com"} == {
            name: value for name, value in body.items() if name != "created_at"
        }


@pytest.mark.usefixtures("customer")
class TestIssueToken:
    def test_prints_the_secret_alone(self) -> None:
        secret = issue("--customer", "mercy", "--name", "uploader")
        assert 200 == bearer(secret).get(JOBS).status_code
        assert secret not in {*ApiToken.objects.values_list("digest", flat=True)}

    def test_revokes_those_of_the_name(self) -> None:
        first, second, other = (issue("--customer", "mercy", "--name", name) for name in ("a", "a", "b"))
        assert "2 revoked" == issue("--customer", "mercy", "--name", "a", "--revoke")
        assert [401, 401, 200] == [bearer(secret).get(JOBS).status_code for secret in (first, second, other)]

    def test_none_to_revoke(self) -> None:
        issue("--customer", "mercy", "--name", "a")
        with pytest.raises(CommandError, match="'b' is no token of 'mercy' that is valid; valid are: a"):
            issue("--customer", "mercy", "--name", "b", "--revoke")

    @pytest.mark.parametrize("name", ["", "x" * 101])
    def test_a_name_that_cannot_be_kept(self, name: str) -> None:
        with pytest.raises(CommandError, match=f"--name: {len(name)} characters are not 1 to 100"):
            issue("--customer", "mercy", "--name", name)

    def test_unknown_customer(self) -> None:
        with pytest.raises(CommandError, match="customer 'nobody' is not known; known: mercy"):
            issue("--customer", "nobody", "--name", "a")


class TestCounting:
    def test_every_call_once_by_the_name_of_its_endpoint(self, web: Client, customer: Customer, tracked: Calls) -> None:
        job = Job.objects.create(customer=customer, name="x", job_type="data_sync", due_at=timezone.now())
        web.get(JOBS)
        web.get(f"{JOBS}{job.pk}/")
        web.head(JOBS)
        web.delete(JOBS)
        web.get(f"{JOBS}{job.pk + 1}/")
        web.get(f"{API}schema/")
        assert [
            ("jobs-list", "GET", "mercy"),
            ("jobs-detail", "GET", "mercy"),
            ("jobs-list", "HEAD", "mercy"),
            ("jobs-list", "DELETE", "mercy"),
            ("jobs-detail", "GET", "mercy"),
            ("schema", "GET", "mercy"),
        ] == named(tracked, "track_api_call")

    def test_a_method_that_is_none_is_no_label(self, web: Client, tracked: Calls) -> None:
        assert 405 == web.generic("FROB", JOBS).status_code
        assert [] == tracked


class TestLimits:
    def test_a_call_too_many(self, web: Client, customer: Customer, settings: Any, tracked: Calls) -> None:
        settings.UPSTREAM_API_BURST = "2/minute"
        assert [200, 200] == [web.get(JOBS).status_code for _ in range(2)]
        answer = program(customer).get(f"{API}alerts/")
        assert 429 == answer.status_code
        assert 1 <= int(answer["Retry-After"]) <= 60
        assert answer.json()["error"].startswith("too many calls: the customer's limit 'burst' is reached")
        assert [("alerts-list", "burst", "mercy")] == named(tracked, "track_rate_limit_hit")
        assert 3 == len(named(tracked, "track_api_call"))

    def test_two_limits_at_once_are_one_refusal(self, web: Client, settings: Any, tracked: Calls) -> None:
        settings.UPSTREAM_API_BURST, settings.UPSTREAM_API_SUSTAINED = "1/minute", "1/day"
        assert [200, 429] == [web.get(JOBS).status_code for _ in range(2)]
        assert [("jobs-list", "sustained", "mercy")] == named(tracked, "track_rate_limit_hit")

    def test_each_customer_has_its_own(self, web: Client, settings: Any) -> None:
        settings.UPSTREAM_API_BURST = "1/minute"
        other = program(Customer.objects.create(code="other", name="O"))
        assert [200, 200, 429] == [client.get(JOBS).status_code for client in (web, other, web)]

    def test_uploads_have_one_of_their_own(self, web: Client, settings: Any, tracked: Calls) -> None:
        settings.UPSTREAM_API_UPLOADS = "1/day"
        sent = [web.post(f"{API}batches/", {"file": file(stream(line()).getvalue())}) for _ in range(2)]
        assert [202, 429] == [answer.status_code for answer in sent]
        assert [("batches-list", "uploads", "mercy")] == named(tracked, "track_rate_limit_hit")
        assert 1 == len(results(web.get(f"{API}batches/")))

    @pytest.mark.parametrize("name", ["detections", "reports"])
    def test_jobs_have_one_of_their_own(self, web: Client, settings: Any, tracked: Calls, name: str) -> None:
        settings.UPSTREAM_API_JOBS = "1/day"
        body = {"report_type": "drift_summary", "start": "2025-01-01", "end": "2025-01-31"} if name == "reports" else {}
        sent = [web.post(f"{API}{name}/", body, content_type="application/json") for _ in range(2)]
        assert [202, 429] == [answer.status_code for answer in sent]
        assert [(f"{name}-list", "jobs", "mercy")] == named(tracked, "track_rate_limit_hit")
        assert 200 == web.get(f"{API}reports/").status_code

    def test_who_is_not_let_in_uses_up_nothing(self, web: Client, settings: Any, tracked: Calls) -> None:
        settings.UPSTREAM_API_BURST = "1/minute"
        assert [401, 401, 200] == [client.get(JOBS).status_code for client in (bearer("wrong"), Client(), web)]

    @pytest.mark.parametrize("given", ["60", "60/m", "0/day", "-1/hour", "1/week", "many/hour"])
    def test_a_rate_that_is_none_stops_the_start(self, given: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"X: '{given}' is not a rate such as 60/minute"):
            _env.rate("X", "1/hour", {"X": given})
        assert ("1/hour", "2/day") == (_env.rate("X", "1/hour", {}), _env.rate("X", "1/hour", {"X": " 2/day "}))
