"""The checklist on a phone, the overview of a building, and whose eyes a picture is for."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.meters import SEEN, picture
from web.meters import commissioned, meter_of
from web.scene import Scene


@pytest.fixture(scope="module")
def scene(house: Services) -> Scene:
    """A small building of its own: one home signed off, one that lacks its proof."""
    made = Scene(floors=1, columns=4)
    made.live()
    commissioned(made, 0)
    commissioned(made, 1, but=("pulse",))
    return made


def url(name: str, *args: Any) -> str:
    from django.urls import reverse

    return reverse(name, args=args)


def test_the_overview_counts_homes_and_names_what_they_lack(scene: Scene, signed_in: Any) -> None:
    shown = signed_in(scene.auditor).get(url("console:commissioning", scene.slug)).content.decode()
    homes = len(scene.homes)
    assert f"1 of {homes} homes signed off" in shown
    assert "1 step left: Proven by a known load" in shown
    assert f"{homes - 2} homes not begun" in shown


def test_a_whole_checklist_is_walked_on_the_page_and_signed(scene: Scene, signed_in: Any) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    meter = meter_of(scene, 2)
    desk = signed_in(scene.operator)
    there, step_url = (
        url("console:checklist", scene.slug, meter.pk),
        url("console:check_step", scene.slug, meter.pk),
    )
    assert "7 steps left" in desk.get(there).content.decode()
    for step, value in SEEN.items():
        answer = desk.post(step_url, {"step": step, "words": f"seen {step}", **value})
        assert answer.status_code == 302, answer.content.decode()
    slip = desk.post(step_url, {"step": "opening", "register_wh": "a lot"})
    assert slip.status_code == 422 and "Write an energy in kWh" in slip.content.decode()
    bare = desk.post(step_url, {"step": "opening", "register_wh": "1.0"})
    assert bare.status_code == 422 and "take one and send both" in bare.content.decode()
    heic = SimpleUploadedFile("a.heic", b"\x00\x00\x00\x18ftypheic" + b"\x00" * 64)
    refused = desk.post(step_url, {"step": "opening", "register_wh": "1.0", "photo": heic})
    assert refused.status_code == 422 and "Most Compatible" in refused.content.decode()
    photo = SimpleUploadedFile("a.jpg", picture(), content_type="text/html")
    from fairwatt.store.models import RegisterHead
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(scene.book,))):
        wh = RegisterHead.objects.get(installation=scene.installations[2]).register_wh
    typed = f"{wh // 1000}.{wh % 1000:03d}"
    assert desk.post(step_url, {"step": "opening", "register_wh": typed, "photo": photo}).status_code == 302
    shown = desk.get(there).content.decode()
    assert "Everything is proven: sign it" in shown and "and the meter reported the same" in shown
    assert desk.post(step_url, {"step": "signed"}).status_code == 302
    assert "Everything is proven and signed" in desk.get(there).content.decode()
    page = desk.get(url("console:meter", scene.slug, meter.pk)).content.decode()
    assert "Opening reading" in page and "signed off" in page


def test_a_register_that_is_another_is_told_with_the_difference(scene: Scene, signed_in: Any) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    meter = meter_of(scene, 3)
    desk = signed_in(scene.operator)
    photo = SimpleUploadedFile("a.png", picture("PNG"))
    step_url = url("console:check_step", scene.slug, meter.pk)
    assert desk.post(step_url, {"step": "opening", "register_wh": "7", "photo": photo}).status_code == 302
    shown = desk.get(url("console:checklist", scene.slug, meter.pk)).content.decode()
    assert "not in order" in shown and "apart." in shown
    gone = desk.post(step_url, {"step": "opening", "withdraw": "yes"})
    assert gone.status_code == 302
    assert "apart." not in desk.get(url("console:checklist", scene.slug, meter.pk)).content.decode()


def test_the_resident_sees_the_photo_of_the_own_meter_and_no_other(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.commissioning import photos_of
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(scene.book,))):
        photos = {
            meter: photo for meter, photo, _ in photos_of(meters=[meter_of(scene, n).pk for n in (0, 1)])
        }
    mine, theirs = photos[meter_of(scene, 0).pk], photos[meter_of(scene, 1).pk]
    owner = signed_in(scene.owner)
    page = owner.get(url("tenant:meter", scene.public_id(0))).content.decode()
    assert url("tenant:meter_photo", scene.public_id(0), mine) in page and "You are charged from" in page
    answer = owner.get(url("tenant:meter_photo", scene.public_id(0), mine))
    assert answer.status_code == 200 and answer.content.startswith(b"\xff\xd8\xff")
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/jpeg", "nosniff")
    assert owner.get(url("tenant:meter_photo", scene.public_id(0), theirs)).status_code == 404


def test_the_pages_are_in_chinese_too(scene: Scene, signed_in: Any) -> None:
    desk = signed_in(scene.operator)
    desk.cookies["django_language"] = "zh-hans"
    shown = desk.get(url("console:checklist", scene.slug, meter_of(scene, 1).pk)).content.decode()
    assert "用已知负载验证" in shown and "尚缺 1 步" in shown
