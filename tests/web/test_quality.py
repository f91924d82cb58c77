"""Data quality and meter quality: what the desk sees is what is stored, and what it sets right is kept beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from fairwatt.server.launcher.services import Services
from fairwatt.wire.records import Reading
from web.rig import CHROMIUM, FLAGS, Site, axe_source, open_site, serious
from web.scene import DAY_US, MIDNIGHT_US, MINUTE_US, NOW_US, PASSWORD, Scene

GAP = range(20, 31)
"""Half hours of yesterday that the first meter's readings are missing for."""


class Studied(Scene):
    """A small building one of whose meters was silent for some hours yesterday."""

    def _reading(self, n: int, home: int, at_us: int, slot: int) -> Reading:
        made = super()._reading(n, home, at_us, slot)
        yesterday = at_us <= MIDNIGHT_US and at_us > MIDNIGHT_US - DAY_US
        if n == 0 and yesterday and slot in GAP:
            # The same reading as before it once more: the gateway repeats what it knows.
            return self.last
        if n == 0:
            self.last = made
        return made


@pytest.fixture(scope="module")
def studied(house: Services) -> Studied:
    """The building after a look at its data, an edit, certificates and tests."""
    from fairwatt.flows.check_days import check_days
    from fairwatt.flows.edit_interval import edit_interval
    from fairwatt.flows.meter_quality import CertificateSpec, CheckSpec, record_certificate, record_check
    from fairwatt.store.models import Meter

    scene = Studied(floors=1, columns=5)
    scene.live()
    meters = list(Meter.objects.filter(gateway=scene.gateway).order_by("number"))
    check_days(book_id=scene.book, user_id=scene.operator.pk, now_us=NOW_US)
    who: dict[str, Any] = {"book_id": scene.book, "user_id": scene.operator.pk, "now_us": NOW_US}
    edit_interval(
        meter_id=meters[0].pk,
        at_us=MIDNIGHT_US - DAY_US + 12 * 60 * MINUTE_US,
        seen_version=1,
        wh=90,
        reason="read on site, photo 12",
        **who,
    )
    ends_on = (date(2031, 1, 1), date(2027, 1, 15), date(2026, 6, 1), date(2030, 1, 1))
    for meter, ends in zip(meters, ends_on, strict=False):
        paper = CertificateSpec(
            accuracy_class="1",
            number=f"JB-{meter.number}",
            authority="City Institute of Metrology",
            issued_on=date(2020, 1, 1),
            expires_on=ends,
        )
        record_certificate(meter_id=meter.pk, certificate=paper, **who)
    for meter, wh in zip(meters, (10_023, 10_151), strict=False):
        test = CheckSpec(
            tested_us=NOW_US - DAY_US,
            reference="REF-0.2S-17",
            reference_from_wh=0,
            reference_to_wh=10_000,
            reference_step_wh=1,
            tested_from_wh=0,
            tested_to_wh=wh,
            evidence="protocol 2026-117, photos 1 to 4",
        )
        record_check(meter_id=meter.pk, check=test, **who)
    return scene


def meter_of(scene: Scene, n: int) -> Any:
    from fairwatt.store.models import Meter

    return Meter.objects.get(gateway=scene.gateway, number=scene.homes[n])


def page_of(client: Any, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.status_code
    return str(response.content.decode())


YESTERDAY = "2026-11-20"


def test_a_gap_is_shown_as_estimated_and_adds_up_to_the_register(studied: Studied, signed_in: Any) -> None:
    from fairwatt.store.models import Book
    from fairwatt.web.console.quality_queries import day_page

    page = day_page(
        book=Book.objects.get(pk=studied.book), meter=meter_of(studied, 0), day=date(2026, 11, 20)
    )
    statuses = [value.status for value in page.values]
    assert (len(statuses), statuses.count("E"), statuses.count("X")) == (48, 11, 1)
    shown = page_of(
        signed_in(studied.operator),
        f"/console/{studied.slug}/data/{meter_of(studied, 0).pk}/?day={YESTERDAY}",
    )
    assert "36 measured" in shown and "11 estimated" in shown and "1 edited" in shown
    assert "as on three like days, matched to the register" in shown or "as homes usually use" in shown
    assert "read on site, photo 12" in shown and studied.operator.username in shown


def test_the_overview_counts_what_is_stored(studied: Studied, signed_in: Any) -> None:
    shown = page_of(signed_in(studied.auditor), f"/console/{studied.slug}/data/")
    assert "of all intervals were measured" in shown
    assert "Look at the last five weeks" not in shown, "who may only look is not offered a form"


def test_the_desk_sets_a_value_right_from_the_page(studied: Studied, signed_in: Any) -> None:
    from fairwatt.store.models import IntervalValue
    from fairwatt.web.access import Scope, seeing

    meter = meter_of(studied, 1)
    at_us = MIDNIGHT_US - DAY_US
    form = {"at_us": at_us, "version": 1, "energy_wh": "0.250", "reason": "photo 13"}
    address = f"/console/{studied.slug}/data/{meter.pk}/edit/"
    client = signed_in(studied.operator)
    assert "Write an energy in kWh" in client.post(address, {**form, "energy_wh": "much"}).content.decode()
    assert client.post(address, form).status_code == 302
    again = client.post(address, form)
    assert again.status_code == 422 and "newer version" in again.content.decode()
    assert signed_in(studied.auditor).post(address, form).status_code == 403
    with seeing(scope=Scope(books=(studied.book,))):
        stored = list(IntervalValue.objects.filter(meter=meter.pk, at_us=at_us).order_by("version"))
    assert [(value.version, value.status) for value in stored] == [(1, "A"), (2, "X")]
    assert stored[1].wh == 250


def test_the_meters_are_listed_with_what_is_due_and_what_failed(studied: Studied, signed_in: Any) -> None:
    client = signed_in(studied.operator)
    listed = page_of(client, f"/console/{studied.slug}/meters/")
    assert "1 meter counts outside its limit" in listed
    for words in ("no certificate", "has ended", "ends soon", "in force", "+1.510 %", "+0.230 %"):
        assert words in listed
    one = page_of(client, f"/console/{studied.slug}/meters/{meter_of(studied, 1).pk}/")
    assert "Error 151/10 ‰ exactly;" in one and "outside the limit" in one


def test_a_test_is_recorded_from_the_page(studied: Studied, signed_in: Any) -> None:
    from fairwatt.store.models import MeterCheck
    from fairwatt.web.access import Scope, seeing

    meter = meter_of(studied, 2)
    form = {
        "tested_at": "2026-11-21T10:00",
        "reference": "REF",
        "reference_from_wh": "1.000",
        "reference_to_wh": "11.000",
        "reference_step_wh": "1",
        "tested_from_wh": "5.0",
        "tested_to_wh": "14.98",
        "evidence": "protocol 3",
    }
    address = f"/console/{studied.slug}/meters/{meter.pk}/check/"
    client = signed_in(studied.operator)
    assert client.post(address, {**form, "reference_to_wh": "0.5"}).status_code == 422
    assert client.post(address, form).status_code == 302
    with seeing(scope=Scope(books=(studied.book,))):
        stored = MeterCheck.objects.get(meter=meter.pk)
    assert (stored.error_num, stored.error_den, stored.verdict) == (-2, 1, "pass")


def test_a_meter_of_another_book_is_not_found_under_ours(
    studied: Studied, other: Scene, signed_in: Any
) -> None:
    theirs = meter_of(other, 0).pk
    client = signed_in(studied.operator)
    for path in (f"data/{theirs}/", f"meters/{theirs}/"):
        assert client.get(f"/console/{studied.slug}/{path}").status_code == 404


def test_every_check_method_and_verdict_has_words() -> None:
    from fairwatt.core.metering.accuracy import Due, Verdict
    from fairwatt.core.metering.vee.methods import METHODS
    from fairwatt.core.metering.vee.model import Status
    from fairwatt.intervals.examine import MEANINGS
    from fairwatt.web.design import vee_words

    assert set(vee_words.RULES) == set(MEANINGS)
    assert {method.id for method in METHODS} | {"source", "edited"} == set(vee_words.METHODS)
    assert {str(status) for status in Status} == set(vee_words.STATUSES)
    assert {str(one) for one in Due} == set(vee_words.DUE)
    assert {str(one) for one in Verdict} == set(vee_words.VERDICTS)


@pytest.fixture(scope="module")
def site(studied: Studied) -> Iterator[Site]:
    with open_site() as opened:
        yield opened


def test_the_pages_are_drawn_fit_and_are_accessible(
    studied: Studied, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    paths = {
        "data": f"/console/{studied.slug}/data/",
        "day": f"/console/{studied.slug}/data/{meter_of(studied, 0).pk}/?day={YESTERDAY}",
        "edit": f"/console/{studied.slug}/data/{meter_of(studied, 0).pk}/?day={YESTERDAY}"
        f"&edit={MIDNIGHT_US - DAY_US + 11 * 60 * MINUTE_US}",
        "meters": f"/console/{studied.slug}/meters/",
        "meter": f"/console/{studied.slug}/meters/{meter_of(studied, 1).pk}/",
    }
    folder = tmp_path_factory.mktemp("quality")
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{site.origin}/accounts/login/")
        page.get_by_label("User name or e-mail").fill(studied.operator.username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/console/**")
        state: Any = context.storage_state()
        for width, language, scheme in ((390, "en", "light"), (1440, "zh-CN", "dark"), (1440, "en", "light")):
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                locale=language,
                color_scheme=scheme,  # type: ignore[arg-type]
                storage_state=state,
            )
            page = context.new_page()
            wrong: list[str] = []
            page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
            for name, path in paths.items():
                page.goto(site.origin + path)
                if name in ("day", "edit"):
                    page.wait_for_function("document.querySelectorAll('canvas').length === 1")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
                page.evaluate(axe_source())
                assert serious(page) == [], (name, width, scheme)
                page.screenshot(path=folder / f"{name}-{width}-{language}-{scheme}.png", full_page=True)
            assert wrong == []
            context.close()
        site.clock.set(domain_us=NOW_US + 2 * DAY_US)
        context = browser.new_context(viewport={"width": 1100, "height": 900}, storage_state=state)
        page = context.new_page()
        page.goto(site.origin + paths["meter"])
        page.get_by_role("button", name="Approve and charge").wait_for()
        page.get_by_text("Record a test").click()
        page.evaluate(axe_source())
        assert serious(page) == []
        page.screenshot(path=folder / "dead.png", full_page=True)
        browser.close()
