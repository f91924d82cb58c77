"""People move out and in, in a browser: looked at, done in one action, and told what came of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fairwatt.server.launcher.services import Services
from web.rig import CHROMIUM, FLAGS, Site, axe_source, open_site, serious
from web.scene import NOW_US, PASSWORD, Scene

WIDTHS = ((390, "dark", "zh-CN"), (1440, "light", "en"))


@pytest.fixture(scope="module")
def scene(house: Services) -> Scene:
    """A building of its own: its homes change hands."""
    made = Scene(floors=4, columns=3)
    made.live()
    return made


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
def test_one_moves_out_and_another_in_with_three_clicks_each(
    browser: Browser, site: Site, scene: Scene, width: int, scheme: Any, locale: str
) -> None:
    from fairwatt.store.models import Installation, Unit

    lived_in = Installation.objects.filter(closed_us=None, wallet__book=scene.book).values("unit")
    unit = Unit.objects.filter(pk__in=lived_in, vacant=False).order_by("-pk")[0]
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale
    )
    page = context.new_page()
    _sign_in(page, site, scene.operator.username)
    page.goto(f"{site.origin}/console/{scene.slug}/unit/{unit.pk}/")
    page.locator("article.unit a[href$='/move/']").click()
    _looked_at(page, f"out-{width}-{scheme}-{locale}")
    page.locator("main form button.primary").click()
    _answered(page, scene)
    _looked_at(page, f"left-{width}-{scheme}-{locale}")
    unit.refresh_from_db()
    assert unit.vacant

    page.goto(f"{site.origin}/console/{scene.slug}/unit/{unit.pk}/")
    page.locator("article.unit a[href$='/move/']").click()
    page.locator("#at").fill(page.locator("#at").input_value())
    page.locator("#users").fill("nobody-of-that-name")
    page.locator("main form button.primary").click()
    expect(page.locator(".error")).to_be_visible()
    _looked_at(page, f"in-{width}-{scheme}-{locale}")
    context.close()


@pytest.mark.parametrize(("width", "scheme", "locale"), WIDTHS[1:])
def test_a_file_of_moves_is_looked_at_row_by_row(
    browser: Browser, site: Site, scene: Scene, width: int, scheme: Any, locale: str
) -> None:
    from fairwatt.store.models import Unit

    labels = list(Unit.objects.filter(site__book=scene.book).order_by("pk").values_list("label", flat=True))
    text = "home,move\n" + "".join(f"{label},out\n" for label in [*labels[:2], "0000"])
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale
    )
    page = context.new_page()
    _sign_in(page, site, scene.operator.username)
    page.goto(f"{site.origin}/console/{scene.slug}/moves/")
    page.locator("#file").set_input_files(
        {"name": "term.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.locator("main form button.primary").last.click()
    expect(page.locator(".rows tbody tr")).to_have_count(3)
    expect(page.locator(".rows tr.wrong")).to_have_count(1)
    _looked_at(page, f"many-{width}-{scheme}-{locale}")
    context.close()


def test_a_move_of_another_company_or_by_an_auditor_changes_nothing(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Fact, Installation

    home = Installation.objects.filter(closed_us=None, wallet__book=scene.book).order_by("pk")[0]
    address = f"/console/{scene.slug}/unit/{home.unit_id}/move/"
    form = {"ticket": "00112233445566778899", "settle": "window"}
    assert signed_in(scene.auditor).post(address, form).status_code == 422
    from support.house import as_role

    with as_role("migrate"):
        assert not Fact.objects.filter(kind="move", payload__unit=home.unit_id).exists()


def test_a_meter_is_exchanged_at_the_desk_and_another_goes_on_counting(
    scene: Scene, signed_in: Any, clock: Any
) -> None:
    from fairwatt.store.models import Installation

    open_homes = Installation.objects.filter(closed_us=None, wallet__book=scene.book).select_related("meter")
    other, home = open_homes.order_by("-pk")[:2]
    address = f"/console/{scene.slug}/meters/{home.meter_id}/exchange/"
    desk = signed_in(scene.operator)
    typed = {
        "ticket": "00112233445566778899",
        "number": "880000000001",
        "final": "",
        "opening": "0.5",
        "ratio": "100:5",
        "reason": "display dark",
    }
    wrong = {"number": str(other.meter), "opening": "twelve", "ratio": "5:100"}
    for name, value in wrong.items():
        assert desk.post(address, {**typed, name: value}).status_code == 422, name
    looked = desk.post(address, {**typed, "look": "1"})
    assert (looked.status_code, b"guess" in looked.content) == (200, True)
    home.refresh_from_db()
    assert home.closed_us is None

    gone = desk.post(address, typed)
    assert gone.status_code == 302
    clock.at_us += 1_000_000
    assert desk.post(address, typed).url == gone.url, "twice is once"
    scene.post(now_us=clock.at_us)
    assert desk.post(address, typed).url == gone.url, "also when it is done already"
    assert "880000000001" in desk.get(gone.url).content.decode()
    begun = Installation.objects.select_related("meter").get(unit=home.unit_id, closed_us=None)
    assert (begun.meter.number, begun.opening_wh, begun.transformer) == (880_000_000_001, 500, (100, 5))
    assert (begun.wallet_id, begun.plan_id) == (home.wallet_id, home.plan_id)
    assert desk.get(address).status_code == 422  # nothing is charged by it any more


def test_who_moved_out_reads_the_last_bill_and_nothing_of_who_came(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Tenancy, Wallet

    scene.operator.refresh_from_db()  # signing in through a browser may have renewed the password's hash
    mine = Wallet.objects.get(tenancy__user=scene.owner)
    address = f"/console/{scene.slug}/unit/{mine.unit_id}/move/"
    form = {"ticket": "00112233445566778899", "settle": "window"}
    gone = signed_in(scene.operator).post(address, form)
    assert gone.status_code == 302
    scene.post(now_us=NOW_US)
    scene.post(now_us=NOW_US)
    told = signed_in(scene.operator).get(gone["Location"]).content.decode()
    assert Tenancy.objects.get(user=scene.owner).end_us is not None, told[told.index("<main") :]
    home = signed_in(scene.owner).get(f"/home/{mine.public_id}/")
    said = home.content.decode()
    assert "You moved out" in said and "goes back to you" in said and "Account ended" in said
    assert "No credit left" not in said and 'class="top-up"' not in said, (
        "nobody pays for a home that was left"
    )
    assert signed_in(scene.owner).get(*re.findall(r'href="([^"]+from=[^"]+)"', said)).status_code == 200
    charges = signed_in(scene.owner).get(f"/home/{mine.public_id}/charges/")
    assert charges.status_code == 200
    assert signed_in(scene.neighbour).get(f"/home/{mine.public_id}/").status_code == 404


def _answered(page: Page, scene: Scene) -> None:
    page.wait_for_url("**asked=**")
    scene.post(now_us=NOW_US)
    expect(page.locator(".done h2 span")).to_be_visible(timeout=8_000)


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
