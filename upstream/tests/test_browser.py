"""The operators' pages and a report, in a real browser, as a person sees them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from upstream.tests.service import CUSTOMER, Service, service

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
PASSWORD = "only-of-this-test"
FILL = """
import io
from django.apps import apps
from django.contrib.auth.models import User
from upstream import generator
User.objects.create_superuser("operator", password=password)
customer = Customer.objects.create(code=mercy, name="Mercy West", alert_email="ops@mercy.example.com")
for code, name in generator.PAYERS.items():
    Payer.objects.create(code=code, name=name)
text = io.StringIO()
generator.write(generator.claims(6_000, 1, mercy, generator.drifting("humana")), text)
text.write("a row that is broken\\n")
ingestion.ingest_now(customer, io.BytesIO(text.getvalue().encode()), "claims.csv")
detection.detect_now(customer)
end = generator.DEFAULT_END
reports.write_now(customer, "drift_summary", end - datetime.timedelta(days=29), end)
jobs.run_now(jobs.enqueue(quality.KIND, customer, hold=True, day=datetime.date.today().isoformat()))
AlertChannel.objects.create(customer=customer, channel_type="webhook", target="https://example.com/", secret="s")
ApiToken.issue(customer, "uploader")
models = apps.get_app_config("upstream").get_models()
tell([[model._meta.verbose_name_plural, model.objects.count()] for model in models])
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium; apt-get install chromium"),
]


@dataclass
class Site:
    """The running service and how many rows each of its tables has, by the plural of its name."""

    service: Service
    rows: dict[str, int]

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.service.web.port}/admin/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with service(tmp_path_factory.mktemp("browser")) as running:
        yield Site(running, dict(running.run(FILL, mercy=CUSTOMER, password=PASSWORD)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # While it is open this thread has a running event loop, in which Django refuses to use a database.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page, and all that went wrong in it."""

    page: Page
    problems: list[str] = field(default_factory=list)
    static: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        self.page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))
        self.page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")
        if "/static/" in response.url:
            self.static.append(response.url)


@pytest.fixture(scope="module")
def signed_in(site: Site, browser: Browser) -> Iterator[BrowserContext]:
    """A browser in which an operator has logged in by the form."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.admin)
        page.get_by_label("Username").fill("operator")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="Operations").wait_for()
        page.close()
        yield context


@pytest.fixture
def tab(signed_in: BrowserContext) -> Iterator[Tab]:
    tab = Tab(signed_in.new_page())
    yield tab
    assert [] == tab.problems
    tab.page.close()


class TestAdmin:
    def test_a_stranger_is_asked_who_they_are(self, site: Site, browser: Browser) -> None:
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(f"{site.admin}upstream/claim/")
            assert page.get_by_role("button", name="Log in").is_visible()
            page.get_by_label("Username").fill("operator")
            page.get_by_label("Password").fill("wrong")
            page.get_by_role("button", name="Log in").click()
            assert "Please enter the correct username and password" in page.locator(".errornote").inner_text()

    def test_it_is_styled(self, site: Site, tab: Tab) -> None:
        tab.page.goto(site.admin)
        assert any(url.endswith("/admin/css/base.css") for url in tab.static)
        header = tab.page.locator("#header")
        assert "rgba(0, 0, 0, 0)" != header.evaluate("node => getComputedStyle(node).backgroundColor")

    def test_the_lists_of_all_models_are_walked(self, site: Site, tab: Tab) -> None:
        tab.page.goto(site.admin)
        links = tab.page.locator("#content-main .app-upstream tbody th a")
        targets = {str(link.text_content()).lower(): str(link.get_attribute("href")) for link in links.all()}
        assert {name.lower() for name in site.rows} == set(targets)
        assert [] == [name for name, count in site.rows.items() if not count]
        for name, count in site.rows.items():
            tab.page.goto(site.admin)
            tab.page.locator(f'#content-main a[href="{targets[name.lower()]}"]').first.click()
            assert tab.page.locator("#content h1").inner_text().startswith("Select ")
            rows = tab.page.locator("#result_list tbody tr")
            assert min(count, 50) == rows.count(), name
            assert rows.first.is_visible()

    def test_an_alert_is_acknowledged(self, site: Site, tab: Tab) -> None:
        tab.page.goto(f"{site.admin}upstream/alert/")
        tab.page.locator("#result_list tbody input.action-select").first.check()
        tab.page.get_by_label("Action:").select_option("Acknowledge")
        tab.page.get_by_role("button", name="Run").or_(tab.page.get_by_role("button", name="Go")).click()
        assert "1 acknowledged." == tab.page.locator(".messagelist li").inner_text()


class TestReport:
    def test_is_read_like_a_page(self, site: Site, tab: Tab) -> None:
        tab.page.goto(f"{site.admin}upstream/report/")
        tab.static.clear()
        tab.page.get_by_role("link", name="page", exact=True).first.click()
        heading = tab.page.get_by_role("heading", level=1)
        assert heading.is_visible()
        assert "Mercy West" in tab.page.locator("body").inner_text()
        charts = tab.page.locator("svg").all()
        assert charts
        for chart in charts:
            box = chart.bounding_box()
            assert box is not None
            assert (True, True) == (box["width"] > 100, box["height"] > 50), box
            assert chart.is_visible()
        # Its own style is the only one that the policy lets in: the browser's has serifs.
        assert "Times" not in tab.page.locator("body").evaluate("node => getComputedStyle(node).fontFamily")
        assert [] == tab.static
