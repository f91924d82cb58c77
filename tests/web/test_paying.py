"""A resident pays in each way the supplier offers: a real browser, the real collector, the simulated platforms."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as NotInTime

from fairwatt.server.config import Config
from fairwatt.simulate.shops import open_shops
from web.rig import CHROMIUM, FLAGS, Site, axe_source, open_site, serious
from web.scene import PASSWORD, Scene

WECHAT = (
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36 MicroMessenger/8.0.48"
)


@pytest.fixture(scope="module")
def shop(house: object) -> Scene:
    """An organisation of its own, with an account at every platform."""
    made = Scene(floors=1, columns=2)
    made.live()
    return made


@pytest.fixture(scope="module")
def site(shop: Scene) -> Iterator[Site]:
    with open_site() as opened:
        open_shops(
            world=opened.sim.world,
            organisation=shop.site.book.organisation.slug,
            currency="CNY",
            config=opened.config,
            now_us=opened.clock.now_us(),
        )
        collector = subprocess.Popen(
            [sys.executable, "-m", "fairwatt.cli", "collector"], env=opened.config.child_env(role="collector")
        )
        try:
            yield opened
        finally:
            collector.terminate()
            collector.wait(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def home(browser: Browser, site: Site, shop: Scene, **context: Any) -> Page:
    page = browser.new_context(**context).new_page()
    page.goto(f"{site.origin}/accounts/login/")
    page.locator("input[name=login]").fill(shop.owner.username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form button[type=submit]").first.click()
    page.wait_for_url("**/home/**")
    return page


def choose(page: Page, way: str, amount: str = "20") -> None:
    page.locator(f".way:has(.mark-{way})").click()
    page.locator("#amount").fill(amount)
    if way == "mpesa":
        page.locator("input[name=phone]").fill("0712 345678")
    page.locator(".top-up button.primary").click()


def pressed(page: Page) -> Page:
    """The platform's page. What changes on the page may take a button from under the pointer; people press again."""
    for _ in range(3):
        try:
            with page.expect_popup(timeout=10_000) as opened:
                page.locator(".next a.button").click()
            return opened.value
        except NotInTime:
            continue
    raise AssertionError("the button led nowhere, three times")


def post(shop: Scene, site: Site) -> None:
    from fairwatt.flows.merchants import Merchants
    from fairwatt.server.keys import MERCHANT_READING, load_sealing_key

    shop.merchants = Merchants(reading=load_sealing_key(Config.load().keys, name=MERCHANT_READING))
    shop.post(now_us=site.clock.now_us())


@pytest.mark.parametrize("way", ["wechat", "alipay", "stripe", "mpesa"])
def test_a_resident_pays_and_watches_it_arrive(browser: Browser, site: Site, shop: Scene, way: str) -> None:
    page = home(browser, site, shop, viewport={"width": 1440, "height": 900})
    choose(page, way)
    if way == "stripe":
        page.wait_for_url("**/p/stripe/**")
        page.get_by_role("button").first.click()
        page.wait_for_url("**/pay/**")
    else:
        platform = pressed(page)
        platform.get_by_role("button").first.click()
        expect(platform.get_by_role("status")).to_be_visible()
    expect(page.locator("#steps li.done").first).to_be_visible(timeout=15_000)
    ref = urlsplit(page.url).path.strip("/").rpartition("/")[2]
    post(shop, site)
    from fairwatt.store.models import PaymentIntent

    intent = PaymentIntent.objects.get(our_ref=ref)
    assert (intent.state, intent.provider, intent.amount_minor) == ("credited", way, 2_000)
    expect(page.locator("#steps li.done").nth(1)).to_be_visible(timeout=15_000)
    page.context.close()


def test_a_resident_pays_from_the_telephones_own_menu(browser: Browser, site: Site, shop: Scene) -> None:
    from fairwatt.store.models import PaymentIntent

    page = home(browser, site, shop, viewport={"width": 390, "height": 844})
    paybill, number = page.locator(".paybill code").all_inner_texts()
    menu = page.context.new_page()
    until(lambda: bool(site.sim.world.mpesa.paybills.addresses), "the collector tells where we listen")
    menu.goto(f"{site.sim.url}/p/mpesa/menu")
    menu.get_by_label("Business number").fill(paybill)
    menu.get_by_label("Account number").fill(f"{number[:-1]}{(int(number[-1]) + 1) % 10}")
    menu.get_by_label("Amount").fill("20")
    menu.get_by_role("button", name="Continue").click()
    menu.get_by_role("button", name="Send").click()
    expect(menu.get_by_role("alert")).to_contain_text("the account number is wrong")
    menu.get_by_label("Account number").fill(number)
    menu.get_by_role("button", name="Continue").click()
    menu.get_by_role("button", name="Send").click()
    expect(menu.get_by_role("status")).to_contain_text("Confirmed")
    mine = PaymentIntent.objects.filter(wallet=shop.wallets[0], method="paybill")
    until(mine.exists, "told, asked, taken in")
    post(shop, site)
    assert [(one.state, one.amount_minor) for one in mine] == [("credited", 2_000)]
    page.context.close()


def until(there: Callable[[], bool], what: str) -> None:
    """Wait for another process."""
    for _ in range(100):
        if there():
            return
        time.sleep(0.1)
    raise AssertionError(what)


def test_inside_wechat_the_sheet_is_offered(browser: Browser, site: Site, shop: Scene) -> None:
    page = home(browser, site, shop, viewport={"width": 390, "height": 844}, user_agent=WECHAT)
    choose(page, "wechat")
    page.wait_for_url("**/pay/**")
    pressed(page).get_by_role("button").click()
    expect(page.locator("#steps li.done").first).to_be_visible(timeout=15_000)
    page.context.close()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_ways_to_pay_are_readable_and_nothing_scrolls_sideways(
    browser: Browser, site: Site, shop: Scene, width: int, language: str
) -> None:
    page = home(browser, site, shop, viewport={"width": width, "height": 900}, locale=language)
    choose(page, "wechat", "31")
    page.locator(".next .qr").wait_for()
    page.evaluate(axe_source())
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.context.close()
