"""The alarms page, and why it is dark: for those whom it concerns, with one next step."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.core.alarms.model import AlarmCode
from fairwatt.server.launcher.services import Services
from support.house import as_role
from web.dangers import COVER, HOT, OVER, OVERLOADED, dangerous, tell
from web.scene import DRY, Scene


@pytest.fixture(scope="module")
def scene(house: Services) -> Scene:
    """A small building of its own, with dangers in it."""
    return dangerous()


def page(client: Any, name: str, *args: Any, **query: Any) -> str:
    from django.urls import reverse

    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return str(response.content.decode())


def meter_id(scene: Scene, n: int) -> int:
    from fairwatt.store.models import Meter

    return int(Meter.objects.get(number=scene.homes[n], gateway=scene.gateway).pk)


def test_every_alarm_has_words_and_a_step() -> None:
    from fairwatt.web.design.alarm_words import ALARMS

    assert set(ALARMS) == set(AlarmCode)


def test_the_desk_sees_open_alarms_and_what_is_kept_off(scene: Scene, signed_in: Any) -> None:
    desk = signed_in(scene.operator)
    shown = page(desk, "console:alarms", scene.slug)
    assert f"{scene.labels[HOT]} is switched off for safety: Hot terminal" in shown
    assert f"{scene.labels[OVERLOADED]} is switched off for safety: Overload" in shown
    assert "It stays off until the cause is mended" in shown
    assert "9.18 kW, limit 6.60 kW" in shown
    assert "91.2 °C, limit 85 °C" in shown
    assert scene.labels[OVER] not in shown, "it is over"
    over = page(desk, "console:alarms", scene.slug, state="closed")
    assert scene.labels[OVER] in over
    covers = page(desk, "console:alarms", scene.slug, state="all", code="cover_open")
    assert "Meter opened" in covers and "7.42 kW" not in covers


def test_the_page_of_a_meter_shows_its_alarms_and_why_it_is_dark(scene: Scene, signed_in: Any) -> None:
    desk = signed_in(scene.operator)
    assert "Meter opened" in page(desk, "console:meter", scene.slug, meter_id(scene, COVER))
    hot = page(desk, "console:meter", scene.slug, meter_id(scene, HOT))
    assert "is switched off for safety: Hot terminal" in hot
    assert "Let power return" in hot
    auditor = signed_in(scene.auditor)
    assert "Let power return" not in page(auditor, "console:meter", scene.slug, meter_id(scene, HOT))
    assert "The credit is used up" in page(desk, "console:meter", scene.slug, meter_id(scene, DRY))


def test_an_alarm_is_seen_once_by_name_and_leaves_the_list_of_the_unseen(
    scene: Scene, signed_in: Any
) -> None:
    from django.urls import reverse

    from fairwatt.store.models import Event

    with as_role("poster"):
        raised = Event.objects.filter(
            book=scene.book, kind="gateway.alarm_raised", reason="cover_open"
        ).first()
    assert raised is not None
    desk = signed_in(scene.operator)
    address = reverse("console:alarm_seen", args=[scene.slug, raised.pk])
    assert desk.post(address, {"state": "all"})["Location"].endswith("?state=all")
    assert desk.post(address).status_code == 302
    with as_role("poster"):
        audits = Event.objects.filter(book=scene.book, kind="desk.alarm_seen")
        assert [event.evidence["author"] for event in audits.filter(evidence__event=raised.pk)] == [
            scene.operator.pk
        ]
    assert f"seen by {scene.operator.username}" in page(desk, "console:alarms", scene.slug, code="cover_open")
    assert "Meter opened</b>" not in page(desk, "console:alarms", scene.slug, state="unseen")
    assert desk.post(reverse("console:alarm_seen", args=[scene.slug, 2**40])).status_code == 404


def test_power_is_let_return_only_with_a_word(scene: Scene, signed_in: Any) -> None:
    from django.urls import reverse

    desk = signed_in(scene.operator)
    address = reverse("console:safety_release", args=[scene.slug, meter_id(scene, HOT)])
    refused = desk.post(address, {"words": " "})
    assert refused.status_code == 422
    assert "Write what was mended" in refused.content.decode()


@pytest.mark.parametrize(
    ("n", "cause", "step"),
    [
        (HOT, "Switched off for safety", "an electrician has to look first"),
        (OVERLOADED, "Too much was switched on at once", "comes back by itself after a few minutes"),
    ],
)
def test_a_home_that_safety_keeps_dark_is_told_so_and_not_to_pay(
    n: int, cause: str, step: str, scene: Scene, signed_in: Any
) -> None:
    shown = resident_page(scene, n, signed_in, "tenant:home")
    assert cause in shown and step in shown
    assert "Pay at least" not in shown


def test_whoever_sits_in_the_dark_may_ask(scene: Scene, signed_in: Any) -> None:
    dark = page(signed_in(scene.owner), "tenant:dark", scene.public_id(0))
    assert "The cause is not known yet" in dark, "its meter delivers power right now"
    hot = resident_page(scene, HOT, signed_in, "tenant:dark")
    assert "Switched off for safety" in hot
    assert scene.labels[OVERLOADED] not in hot


def test_the_answer_is_in_the_language_of_the_page(scene: Scene, signed_in: Any) -> None:
    from django.urls import reverse

    address = reverse("tenant:dark", args=[scene.public_id(0)])
    shown = signed_in(scene.owner).get(address, headers={"accept-language": "zh-hans"}).content.decode()
    assert "原因尚不明确" in shown
    assert "为什么没电" in shown


def test_a_power_limit_is_told_until_it_is_lifted(scene: Scene, signed_in: Any) -> None:
    owner = signed_in(scene.owner)
    tell(scene, "power_limited", 0, 1, limit_w=1_500, available_micro=9_000_000)
    assert "Your power is limited to 1.50 kW" in page(owner, "tenant:home", scene.public_id(0))
    tell(scene, "power_limit_lifted", 0, 0, limit_w=None, available_micro=90_000_000)
    assert "Your power is limited" not in page(owner, "tenant:home", scene.public_id(0))


def resident_page(scene: Scene, n: int, signed_in: Any, name: str) -> str:
    """A page of the n-th home as somebody sees it who moves in for this question."""
    from fairwatt.store.models import Tenancy, User

    with as_role("migrate"):
        user, _ = User.objects.get_or_create(username=f"dark-{scene.book}-{n}")
        Tenancy.objects.get_or_create(wallet_id=scene.wallets[n], user=user, start_us=scene.opened_us)
    return page(signed_in(user), name, scene.public_id(n))
