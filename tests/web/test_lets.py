"""Booths and lets on their pages: what is empty, what it costs, who is there, another end, a file of them."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.urls import reverse

from fairwatt.server.launcher.services import Services
from web.lets import emptied, publish_market, settle
from web.scene import HOUR_US, MIDNIGHT_US, NOW_US, Scene


@pytest.fixture(scope="module")
def scene(house: Services) -> Scene:
    """A row of three booths that were read since midnight; the first is empty."""
    made = Scene(floors=1, columns=3)
    made._open_desk()
    made._half_hours(MIDNIGHT_US, range(37))
    publish_market(made)
    made.unit = emptied(made)  # type: ignore[attr-defined]
    return made


def test_an_empty_booth_is_let_in_one_form_and_the_day_that_has_begun_is_paid(
    scene: Scene, signed_in: Any
) -> None:
    from fairwatt.store.models import CostEntry, Wallet
    from fairwatt.web.access import Scope, seeing

    unit = scene.unit  # type: ignore[attr-defined]
    clerk, auditor = signed_in(scene.operator), signed_in(scene.auditor)
    page = reverse("console:lets", args=[scene.slug])
    shown = clerk.get(page).content.decode()
    assert f"?unit={unit}#new" in shown and "Nothing is let today." in shown
    form = {
        "unit": unit,
        "merchant": "Li, noodles",
        "from": "",
        "to": "2026-11-22T22:00",
        "package": "market",
        "trading": "08:00-22:00",
        "ticket": os.urandom(10).hex(),
    }
    looked = clerk.post(page, {**form, "look": "1"}).content.decode()
    assert "¥40.00" in looked, "the day that has begun, and the next"
    assert "day pass" in looked and "5.0 kWh included" in looked
    assert auditor.post(page, form).status_code == 422
    assert "There is no such package" in clerk.post(page, {**form, "package": "?"}).content.decode()
    made = clerk.post(page, form)
    assert made.status_code == 302 and clerk.post(page, form)["Location"] == made["Location"]
    assert clerk.post(page, {**form, "ticket": os.urandom(10).hex()}).status_code == 422
    settle(scene)
    settle(scene)
    assert 'class="state state-running"' in clerk.get(page).content.decode()
    with seeing(scope=Scope(books=(scene.book,))):
        wallet = Wallet.objects.filter(unit=unit).order_by("-pk")[0]
        (entry,) = CostEntry.objects.filter(wallet=wallet.pk)
    assert (entry.due_micro, entry.inputs["package"]) == (20_000_000, "day pass")

    let = made["Location"]
    told = clerk.get(let).content.decode()
    assert "Market day" in told and "08:00-22:00" in told and "a let began" in told
    assert clerk.post(f"{let}word/", {"to": "2026-11-20T22:00"}).status_code == 422
    assert clerk.post(f"{let}word/", {"to": "2026-11-23T22:00", "words": "a day more"}).status_code == 302
    assert clerk.post(f"{let}word/", {"cancel": "1"}).status_code == 422
    assert 'value="2026-11-23T22:00"' in clerk.get(let).content.decode()


def test_a_file_of_lets_is_all_or_nothing_and_a_circuit_is_noted_on_its_meter(
    scene: Scene, signed_in: Any
) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from fairwatt.store.models import Meter, Unit

    clerk = signed_in(scene.operator)
    label = Unit.objects.get(pk=scene.unit).label  # type: ignore[attr-defined]
    page = reverse("console:lets_many", args=[scene.slug])
    rows = f"unit,merchant,from,to\n{label},Wang,2026-12-01 08:00,2026-12-01 20:00\n"

    def sent(text: str) -> str:
        file = SimpleUploadedFile("market.csv", text.encode(), "text/csv")
        return str(clerk.post(page, {"file": file}).content.decode())

    assert "Set the wrong rows right" in sent(f"{rows}{label},Chen,2026-12-01 19:00,2026-12-01 22:00\n")
    assert "Write 1 let down" in sent(rows)

    meter = Meter.objects.filter(gateway=scene.gateway).order_by("pk")[1]
    address = reverse("console:circuit", args=[scene.slug, meter.pk])
    assert clerk.post(address, {"circuit": "fire", "words": "sprinklers"}).status_code == 302
    scene.post(now_us=NOW_US + HOUR_US)
    assert "fire system" in clerk.get(reverse("console:meter", args=[scene.slug, meter.pk])).content.decode()
    assert f"{meter.number:012d}" in clerk.get(reverse("console:lets", args=[scene.slug])).content.decode()
    assert clerk.post(address, {"circuit": "ordinary", "words": "gone"}).status_code == 422
