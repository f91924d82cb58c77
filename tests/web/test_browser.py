"""The faces in a real browser: drawn, readable, operable, live; nothing scrolls sideways, nothing complains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.house import as_role
from web.accounts import correcting
from web.meters import commissioned, meter_of
from web.rig import CHROMIUM, FLAGS, Site, axe_source, open_site, serious
from web.scene import CUT, MINUTE_US, NOW_US, PASSWORD, Scene

LOOKS = ((390, "en", "light"), (390, "zh-CN", "dark"), (1440, "en", "dark"), (1440, "zh-CN", "light"))
"""Every width with every language and scheme, and every language with every scheme."""


@pytest.fixture(scope="module")
def site(scene: Scene) -> Iterator[Site]:
    correcting(scene, reason="The decree says another day price.")
    commissioned(scene, 0)
    commissioned(scene, 1, but=("pulse", "seal"))
    with open_site() as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop in this thread; nothing runs in it while a test speaks to the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def sessions(browser: Browser, site: Site, scene: Scene) -> dict[str, Any]:
    """Signed-in browser states by person; signing in itself is what is tested here too."""
    states: dict[str, Any] = {"anonymous": None}
    for who in ("owner", "operator"):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{site.origin}/accounts/login/")
        page.get_by_label("User name or e-mail").fill(getattr(scene, who).username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/home/**" if who == "owner" else "**/console/**")
        states[who] = context.storage_state()
        context.close()
    return states


def paths(scene: Scene) -> dict[str, tuple[str, str, int]]:
    """Pages by name: who opens them, where, and how many charts they draw."""
    return {
        "login": ("anonymous", "/accounts/login/", 0),
        "home": ("owner", f"/home/{scene.public_id(0)}/", 2),
        "seconds": ("owner", f"/home/{scene.public_id(0)}/seconds/", 1),
        "wishes": ("operator", f"/console/{scene.slug}/orders/", 0),
        "charges": ("owner", f"/home/{scene.public_id(0)}/charges/", 0),
        "your meter": ("owner", f"/home/{scene.public_id(0)}/meter/", 0),
        "console": ("operator", f"/console/{scene.slug}/", 2),
        "commissioning": ("operator", f"/console/{scene.slug}/commissioning/", 0),
        "checklist": ("operator", f"/console/{scene.slug}/meters/{meter_of(scene, 1).pk}/checklist/", 0),
        "set aside": ("operator", f"/console/{scene.slug}/quarantine/", 0),
        "statement": ("owner", f"/home/{scene.public_id(0)}/reports/statement/", 1),
        "reports": ("operator", f"/console/{scene.slug}/reports/", 0),
        "liability": ("operator", f"/console/{scene.slug}/reports/liability/", 1),
        "bookkeeping": ("operator", f"/console/{scene.slug}/bookkeeping/", 0),
        "disputes": ("operator", f"/console/{scene.slug}/disputes/", 0),
        "corrections": ("operator", f"/console/{scene.slug}/corrections/", 0),
        "security": ("operator", "/accounts/2fa/", 0),
    }


class Watched:
    """A page of ours whose every complaint is kept; the payment platform's pages are its own affair."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if message.type in ("error", "warning") and message.location["url"].startswith(origin)
                else None
            ),
        )


@pytest.mark.parametrize(("width", "language", "scheme"), LOOKS)
@pytest.mark.parametrize(
    "name",
    [
        *("login", "home", "charges", "console", "set aside", "security", "seconds", "wishes"),
        *("statement", "reports", "liability", "bookkeeping", "disputes", "corrections"),
    ],
)
def test_a_page_is_drawn_fits_and_is_accessible(
    name: str,
    width: int,
    language: str,
    scheme: Any,
    browser: Browser,
    site: Site,
    scene: Scene,
    sessions: dict[str, Any],
) -> None:
    who, path, charts = paths(scene)[name]
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        locale=language,
        color_scheme=scheme,
        storage_state=sessions[who],
        bypass_csp=False,
    )
    watched = Watched(context, site.origin)
    page = watched.page
    page.goto(site.origin + path)
    if charts:
        page.wait_for_function(f"document.querySelectorAll('canvas').length === {charts}")
        widths = page.evaluate("[...document.querySelectorAll('canvas')].map(canvas => canvas.width)")
        assert all(drawn > 0 for drawn in widths)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert page.evaluate("document.documentElement.lang") == ("en" if language == "en" else "zh-hans")
    page.evaluate(axe_source())
    assert serious(page) == []
    assert watched.complaints == []
    context.close()


def test_pressing_a_home_says_why_it_is_dark_and_escape_leads_back(
    browser: Browser, site: Site, scene: Scene, sessions: dict[str, Any]
) -> None:
    context = browser.new_context(storage_state=sessions["operator"], locale="en")
    page = context.new_page()
    for _ in range(4):
        page.goto(f"{site.origin}/console/{scene.slug}/")
        page.locator("a.state-cut").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#unit:not(:empty), main:not(:has(#unit))").first).to_be_attached()
        if "/unit/" not in page.url:
            break  # else a live swap had just renewed the link, and it led to the home's own page
    panel = page.locator("#unit")
    expect(panel).to_contain_text("It comes back by itself after a top-up")
    page.evaluate(axe_source())
    assert serious(page) == []
    page.keyboard.press("Escape")
    expect(panel).to_be_empty()
    expect(page.locator("a.state-cut")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("a.state-cut")).not_to_be_focused()
    context.close()


def test_keyboard_alone_reaches_the_content_and_the_amounts(
    browser: Browser, site: Site, scene: Scene, sessions: dict[str, Any]
) -> None:
    context = browser.new_context(storage_state=sessions["owner"], locale="en")
    page = context.new_page()
    page.goto(f"{site.origin}/home/{scene.public_id(0)}/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.locator("input[name=choice]:checked").focus()
    page.keyboard.press("ArrowRight")
    shown = page.locator("input[name=choice]:checked").get_attribute("data-text")
    expect(page.get_by_role("button", name=f"Pay {shown}")).to_be_visible()
    page.locator("#amount").fill(" 37.50 ")
    expect(page.get_by_role("button", name="Pay ¥37.50", exact=True)).to_be_visible()
    context.close()


def test_without_scripts_the_page_says_the_same(
    browser: Browser, site: Site, scene: Scene, sessions: dict[str, Any]
) -> None:
    context = browser.new_context(storage_state=sessions["owner"], java_script_enabled=False, locale="en")
    page = context.new_page()
    page.goto(f"{site.origin}/home/{scene.public_id(0)}/")
    expect(page.locator("h1")).to_contain_text("left")
    for table in page.locator("details table").all():
        expect(table).to_be_visible()
    expect(page.locator(".chart").first).to_be_hidden()
    context.close()


def test_without_scripts_the_desk_opens_a_home_by_its_link(
    browser: Browser, site: Site, scene: Scene, sessions: dict[str, Any]
) -> None:
    context = browser.new_context(storage_state=sessions["operator"], java_script_enabled=False, locale="en")
    page = context.new_page()
    page.goto(f"{site.origin}/console/{scene.slug}/")
    for table in page.locator("details table").all():
        expect(table).to_be_visible()
    expect(page.locator("a.square").first).to_contain_text("0601")
    page.locator("a.square").first.click()
    page.wait_for_url("**/unit/*/")
    expect(page.locator(".unit h3")).to_contain_text("0601")
    context.close()


def test_the_silence_of_the_platform_is_said_after_a_while(
    browser: Browser, site: Site, scene: Scene, sessions: dict[str, Any]
) -> None:
    from fairwatt.flows.start_top_up import start_top_up

    ref = start_top_up(
        wallet_id=scene.wallets[0],
        amount_minor=900,
        provider="sandbox",
        user_id=scene.owner.pk,
        now_us=NOW_US,
    ).our_ref
    context = browser.new_context(
        storage_state=sessions["owner"], locale="en", viewport={"width": 320, "height": 700}
    )
    page = context.new_page()
    page.clock.install()
    page.goto(f"{site.origin}/pay/{ref}/")
    expect(page.locator("#slow")).to_be_hidden()
    page.clock.fast_forward(16_000)
    expect(page.locator("#slow")).to_contain_text("you may leave this page")
    expect(page.get_by_role("link", name="Look again")).to_be_visible()
    context.close()


def test_a_payment_is_followed_live_until_the_meter_confirms(
    browser: Browser, site: Site, scene: Scene, sessions: dict[str, Any]
) -> None:
    from fairwatt.store.models import Tenancy

    dark = 210_000_000_000 + CUT
    home = scene.homes.index(dark)
    with as_role("migrate"):
        Tenancy.objects.create(wallet_id=scene.wallets[home], user=scene.owner, start_us=scene.opened_us)
    context = browser.new_context(
        storage_state=sessions["owner"], locale="en", viewport={"width": 390, "height": 844}
    )
    watched, console = (
        Watched(context, site.origin),
        browser.new_context(storage_state=sessions["operator"], locale="en"),
    )
    page = watched.page
    desk = console.new_page()
    desk.goto(f"{site.origin}/console/{scene.slug}/")
    expect(desk.locator("a.state-cut")).to_have_count(1)
    page.goto(f"{site.origin}/home/{scene.public_id(home)}/")
    expect(page.locator("#supply")).to_contain_text("Power is off")
    expect(page.locator("#hero")).to_contain_text("Pay at least")
    page.get_by_role("radio", name="2 weeks").check()
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/pay?our_ref=*")
    page.locator("button[type=submit], form button").first.click()
    page.wait_for_url("**/pay/*/")
    steps = page.locator("#steps li.done")
    expect(steps).to_have_count(1, timeout=10_000)  # paid: the platform's signed word is stored
    scene.post(now_us=NOW_US + MINUTE_US)
    expect(steps).to_have_count(4, timeout=10_000)
    expect(page.locator("#steps")).to_contain_text("Your credit counts from now on")
    expect(desk.locator("a.state-cut")).to_have_count(0, timeout=10_000)
    assert watched.complaints == []
    page.get_by_role("link", name="Back to my home").click()
    expect(page.locator("#supply")).to_contain_text("Power is on")
    context.close()
    console.close()
