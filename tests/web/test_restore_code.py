"""What is typed at a gateway, in a browser: asked for, made by the poster, shown once; codes and carried payments."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from web.accounts import administrator
from web.rig import CHROMIUM, FLAGS, Site, axe_source, open_site, serious
from web.scene import NOW_US, PASSWORD, Scene

WIDTHS = ((390, "dark", "zh-CN"), (1440, "light", "en"))


@pytest.fixture(scope="module")
def site(scene: Scene) -> Iterator[Site]:
    with open_site() as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize(("width", "scheme", "locale"), WIDTHS)
def test_a_code_is_made_and_shown_once(
    browser: Browser, site: Site, scene: Scene, width: int, scheme: Any, locale: str
) -> None:
    from fairwatt.store.models import Installation, Unit

    lived_in = Unit.objects.filter(pk__in=Installation.objects.filter(closed_us=None).values("unit"))
    unit = lived_in.filter(site__book=scene.book).order_by("pk")[len(f"{width}{scheme}{locale}")]
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale
    )
    page = context.new_page()
    _sign_in(page, site, administrator(scene).username)
    page.goto(f"{site.origin}/console/{scene.slug}/unit/{unit.pk}/code/")
    _looked_at(page, f"ask-{width}-{scheme}-{locale}")
    page.locator("#reason").fill("card lost; the daughter is ill")
    page.locator("main form button.primary").last.click()
    page.wait_for_url("**asked=**")
    scene.post(now_us=NOW_US)
    expect(page.locator("button[name=show]")).to_be_visible(timeout=8_000)
    page.locator("button[name=show]").click()
    digits = page.locator(".digits").inner_text()
    assert len(digits.replace(" ", "")) == 16
    _looked_at(page, f"shown-{width}-{scheme}-{locale}")
    page.goto(f"{site.origin}/console/{scene.slug}/unit/{unit.pk}/code/")
    assert digits not in page.content()
    page.locator("button[name=receipt]").first.click()
    page.wait_for_url("**token=**")
    scene.post(now_us=NOW_US)
    # Its gateway took a grant after the payment: there is nothing to carry, and the page says so.
    expect(page.locator("[aria-live] .error")).to_be_visible(timeout=8_000)
    _looked_at(page, f"token-{width}-{scheme}-{locale}")
    context.close()


def _sign_in(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.origin}/accounts/login/")
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form button.primary").first.click()
    page.wait_for_url("**/console/**")


def _looked_at(page: Page, name: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.evaluate(axe_source())
    assert serious(page) == []
    if folder := os.environ.get("FAIRWATT_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
