"""Credit control in a browser: who would be cut and why, a rule seen before it holds, emergency credit taken."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from support.credit import document, rule
from support.house import as_role
from web.accounts import administrator
from web.rig import CHROMIUM, FLAGS, Site, open_site
from web.scene import NOW_US, PASSWORD, Scene
from web.test_restore_code import WIDTHS, _looked_at, _sign_in

LATE, EARLY = document("warn: {lead_minutes: 0}"), document("warn: {lead_minutes: 60}")


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


def second_administrator(scene: Scene) -> Any:
    """Another administrator of the scene's organisation."""
    from fairwatt.store.models import User

    name = f"second-{scene.slug}"
    with as_role("migrate"):
        return User.objects.filter(username=name).first() or User.objects.create_user(
            name, None, PASSWORD, organisation=scene.site.book.organisation, role="admin"
        )


@pytest.fixture(scope="module")
def lent(scene: Scene) -> None:
    """Emergency credit of 20 is offered everywhere; rules of other kinds stand beside it."""
    person = administrator(scene)
    said = document('emergency: {amount: "20", offered_below: "9000"}', "holidays: [12-25, 01-01]")
    rule(scene, person, body=said, role="migrate", now_us=NOW_US, words="Winter rules of the house")
    rule(scene, person, "weather", now_us=NOW_US, site=scene.site.pk, until_us=NOW_US + 9 * 3_600_000_000,
         details={"kind": "cold"}, source="Weather office, warning 17", words="Cold wave")  # fmt: skip
    rule(scene, person, body=document("friendly: {hours: []}"), now_us=NOW_US, words="Shorter nights")
    scene.post(now_us=NOW_US)


@pytest.mark.parametrize(("width", "scheme", "locale"), WIDTHS)
def test_the_desk_sees_who_is_cut_and_what_a_rule_changes_before_it_holds(
    browser: Browser, site: Site, scene: Scene, lent: None, width: int, scheme: Any, locale: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale
    )
    page = context.new_page()
    _sign_in(page, site, administrator(scene).username)
    page.goto(f"{site.origin}/console/{scene.slug}/credit/")
    expect(page.locator(".tonight")).not_to_have_count(0)
    _looked_at(page, f"credit-{width}-{scheme}-{locale}")
    page.locator("details.rule-form summary").first.click()
    page.locator("textarea[name=body]").first.fill("fairwatt_credit: 1\ncut: sometimes\n")
    page.locator("input[name=words]").first.fill("a try")
    page.locator("button[value=preview]").first.click()
    expect(page.locator(".notice-wrong")).to_be_visible()
    page.locator("textarea[name=body]").first.fill("fairwatt_credit: 1\nfriendly: {hours: []}\n")
    page.locator("button[value=preview]").first.click()
    expect(page.locator(".seen")).to_be_visible()
    _looked_at(page, f"preview-{width}-{scheme}-{locale}")
    context.close()


def test_the_list_says_by_which_rule_and_is_a_file_too(scene: Scene, lent: None) -> None:
    from fairwatt.flows.tonight import rows_of, who_tonight
    from fairwatt.store.models import Book, RegisterHead
    from fairwatt.web.access import Scope, seeing

    found = who_tonight(book=Book.objects.get(pk=scene.book), now_us=NOW_US)
    rows = rows_of(found)
    assert [row["rule"] for row in rows if not row["would_be_cut"]] == ["withhold.protected"]
    assert all(int(row["forecast_micro"]) <= 0 for row in rows)
    off = RegisterHead.objects.filter(book=scene.book, relay=0).values_list("wallet", flat=True)
    with seeing(scope=Scope(books=(scene.book,))):
        assert not {home.standing.wallet for home in found.homes} & set(off), "who is off has nothing to lose"


def test_the_file_holds_the_rows_of_the_page(scene: Scene, lent: None, signed_in: Any) -> None:
    client = signed_in(administrator(scene))
    answer = client.get(f"/console/{scene.slug}/credit/tonight.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert rows and all(row["rule"] and int(row["forecast_micro"]) <= 0 for row in rows)


def test_the_name_of_a_home_is_no_formula_in_the_file(scene: Scene, lent: None, signed_in: Any) -> None:
    from fairwatt.store.models import Unit

    client, url = signed_in(administrator(scene)), f"/console/{scene.slug}/credit/tonight.csv"
    home = next(csv.DictReader(io.StringIO(client.get(url).content.decode())))["home"]
    with as_role("migrate"):
        Unit.objects.filter(site=scene.site, label=home).update(label=f"=1+{home}")
    rows = list(csv.DictReader(io.StringIO(client.get(url).content.decode())))
    with as_role("migrate"):
        Unit.objects.filter(site=scene.site, label=f"=1+{home}").update(label=home)
    assert f"'=1+{home}" in {row["home"] for row in rows}
    assert any(row["forecast_micro"].startswith("-") for row in rows), "an amount below zero stays a number"


def test_a_second_administrator_agrees_on_the_page(scene: Scene, lent: None, signed_in: Any) -> None:
    first, second = administrator(scene), second_administrator(scene)
    written = rule(scene, first, site=scene.site.pk, body=LATE, now_us=NOW_US)
    url = f"/console/{scene.slug}/credit/{written.rule}/"
    for person, status in ((first, 403), (second, 302)):
        client = signed_in(person)
        assert client.post(url, {"step": "approve"}).status_code == status
    back = rule(scene, first, site=scene.site.pk, body=EARLY, now_us=NOW_US)
    assert not back.loosens, "what protects more needs nobody else"


@pytest.mark.parametrize(("width", "scheme", "locale"), WIDTHS[1:])
def test_a_resident_takes_emergency_credit_and_sees_where_a_top_up_goes(
    browser: Browser, site: Site, scene: Scene, lent: None, width: int, scheme: Any, locale: str
) -> None:
    from fairwatt.store.models import Tenancy

    tenancy = Tenancy.objects.get(wallet=scene.wallets[0 if scheme == "light" else 1])
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale
    )
    page = context.new_page()
    _enter(page, site, tenancy.user.username)
    page.goto(f"{site.origin}/home/{tenancy.wallet.public_id}/")
    expect(page.locator(".emergency button")).to_be_visible()
    _looked_at(page, f"offered-{width}-{scheme}-{locale}")
    page.locator(".emergency button").click()
    scene.post(now_us=NOW_US)
    page.reload()
    expect(page.locator(".split")).to_be_visible()
    page.locator("label.preset input").first.check(force=True)
    expect(page.locator(".split dd").first).not_to_be_empty()
    _looked_at(page, f"split-{width}-{scheme}-{locale}")
    context.close()


def _enter(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.origin}/accounts/login/")
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form button.primary").first.click()
    page.wait_for_load_state()
